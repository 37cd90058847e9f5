//! The calls through the SDK's client.

use async_trait::async_trait;
use autoscale_core::words::Timestamp;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{Builder, Config};
use aws_sdk_ec2::types::{
    Filter, HttpTokensState, IamInstanceProfileSpecification, Instance, InstanceInterruptionBehavior,
    InstanceLifecycleType, InstanceMarketOptionsRequest, InstanceMetadataEndpointState,
    InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceType, LaunchTemplateSpecification,
    MarketType, ResourceType, SpotInstanceType, SpotMarketOptions, Tag as SdkTag, TagSpecification,
};

use super::api::{Api, Page, Subnet};
use super::config::Tag;
use super::pinned::Pinned;
use super::request::{Run, Which};
use super::response::Row;
use crate::failure::Failure;
use crate::watch::Watch;

/// Rows on a page: the most that EC2 gives.
const PAGE: i32 = 1_000;

/// The SDK's client.
#[derive(Clone, Debug)]
pub(super) struct Sdk(pub(super) Client);

/// Each request is sent once.
fn once() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

fn tag((key, value): &Tag) -> SdkTag {
    SdkTag::builder().key(key).value(value).build()
}

/// Tags only by way of the request that makes what they are on.
fn tag_specifications(run: &Run) -> Vec<TagSpecification> {
    let mut kinds = vec![ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
    kinds.extend(run.spot.then_some(ResourceType::SpotInstancesRequest));
    let specification = |kind| {
        let tags = run.tags.iter().map(tag).collect();
        TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
    };
    kinds.into_iter().map(specification).collect()
}

/// Metadata by session only, and not beyond the machine itself: no pod gets at its role. The tags are read there.
fn metadata_options() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
        .build()
}

/// Asked for once, and not asked for again by EC2 when it was taken back.
fn spot(max_price: Option<String>) -> InstanceMarketOptionsRequest {
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .set_max_price(max_price);
    InstanceMarketOptionsRequest::builder()
        .market_type(MarketType::Spot)
        .spot_options(options.build())
        .build()
}

fn template(template: &str, version: u64) -> LaunchTemplateSpecification {
    let specification = LaunchTemplateSpecification::builder().version(version.to_string());
    match template.starts_with("lt-") {
        true => specification.launch_template_id(template),
        false => specification.launch_template_name(template),
    }
    .build()
}

fn profile(profile: &str) -> IamInstanceProfileSpecification {
    let specification = IamInstanceProfileSpecification::builder();
    match profile.starts_with("arn:") {
        true => specification.arn(profile),
        false => specification.name(profile),
    }
    .build()
}

fn row(instance: &Instance) -> Row {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let pair = |tag: &SdkTag| (text(tag.key()), text(tag.value()));
    let state = instance.state().and_then(|state| state.name());
    let millis = |at: &aws_smithy_types::DateTime| at.to_millis().ok().map(Timestamp::from_millis);
    Row {
        id: text(instance.instance_id()),
        state: state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        shape: instance.instance_type().map(|shape| shape.as_str().to_owned()),
        zone: instance.placement().and_then(|placed| placed.availability_zone()).map(str::to_owned),
        spot: instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        launched_at: instance.launch_time().and_then(millis),
        private_address: instance.private_ip_address().map(str::to_owned),
        tags: instance.tags().iter().map(pair).collect(),
    }
}

#[async_trait]
impl Api for Sdk {
    async fn run(&self, run: &Run, watch: &Watch) -> Result<Vec<String>, Failure> {
        let mut ask = self.0.run_instances().client_token(&run.token).min_count(1).max_count(1);
        ask = match &run.source {
            Pinned::Template { template: name, version } => ask.launch_template(template(name, *version)),
            Pinned::Image(image) => ask.image_id(image),
        };
        let groups = Some(run.security_groups.clone()).filter(|groups| !groups.is_empty());
        let user_data = run.user_data.as_ref().map(aws_smithy_types::base64::encode);
        let ask = ask
            .instance_type(InstanceType::from(run.shape.as_str()))
            .subnet_id(&run.subnet)
            .set_key_name(run.key_name.clone())
            .set_security_group_ids(groups)
            .set_iam_instance_profile(run.instance_profile.as_deref().map(profile))
            .set_user_data(user_data)
            .metadata_options(metadata_options())
            .set_instance_market_options(run.spot.then(|| spot(run.max_price.clone())))
            .set_tag_specifications(Some(tag_specifications(run)))
            .set_dry_run(run.dry.then_some(true));
        match ask.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(done) => Ok(done.instances().iter().map(|instance| row(instance).id).collect()),
            Err(error) => Err(Failure::new(&error, watch)),
        }
    }

    async fn list(&self, which: &Which, after: Option<String>, watch: &Watch) -> Result<Page, Failure> {
        let mut ask = self.0.describe_instances().set_next_token(after);
        ask = match which {
            Which::Ids(ids) => ask.set_instance_ids(Some(ids.clone())),
            Which::Tagged(tags) => {
                let filter = |(key, value): &Tag| {
                    Filter::builder().name(format!("tag:{key}")).values(escaped(value)).build()
                };
                ask.max_results(PAGE).set_filters(Some(tags.iter().map(filter).collect()))
            }
        };
        match ask.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(page) => Ok(Page {
                rows: page.reservations().iter().flat_map(|all| all.instances()).map(row).collect(),
                next: page.next_token().filter(|next| !next.is_empty()).map(str::to_owned),
            }),
            Err(error) => Err(Failure::new(&error, watch)),
        }
    }

    async fn terminate(&self, id: &str, dry: bool, watch: &Watch) -> Result<(), Failure> {
        let ask = self.0.terminate_instances().instance_ids(id).set_dry_run(dry.then_some(true));
        match ask.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(&error, watch)),
        }
    }

    async fn subnets(&self, ids: &[String], watch: &Watch) -> Result<Vec<Subnet>, Failure> {
        let ask = self.0.describe_subnets().set_subnet_ids(Some(ids.to_vec()));
        match ask.customize().config_override(once()).interceptor(watch.clone()).send().await {
            Ok(found) => {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                let all = found.subnets().iter();
                Ok(all
                    .map(|subnet| Subnet {
                        id: text(subnet.subnet_id()),
                        zone: text(subnet.availability_zone()),
                    })
                    .collect())
            }
            Err(error) => Err(Failure::new(&error, watch)),
        }
    }
}

/// A value for a filter, which knows `*` and `?` as wildcards.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_taken_as_they_are() {
        assert_eq!(escaped("a*b?c\\d"), "a\\*b\\?c\\\\d");
    }

    #[test]
    fn templates_and_profiles_by_id_or_name() {
        assert_eq!(template("lt-01234567", 7).launch_template_id(), Some("lt-01234567"));
        assert_eq!(template("workers", 7).launch_template_name(), Some("workers"));
        assert_eq!(template("workers", 7).version(), Some("7"));
        assert_eq!(
            profile("arn:aws:iam::1:instance-profile/w").arn(),
            Some("arn:aws:iam::1:instance-profile/w")
        );
        assert_eq!(profile("w").name(), Some("w"));
    }
}
