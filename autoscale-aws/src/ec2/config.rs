//! What has to be known beforehand, and what is wrong with it.

use std::fmt;

use autoscale_core::words::{ClusterId, ConfigErrors};

use super::pinned::Pinned;

/// The most that EC2 takes as user data, in bytes.
const MAX_USER_DATA: usize = 16 << 10;

/// A tag: key and value.
pub(super) type Tag = (String, String);

/// Which machines belong to a cluster, and how new ones are made. A value is always valid.
#[derive(Clone, PartialEq, Eq)]
pub struct Ec2Config {
    pub(super) cluster: ClusterId,
    pub(super) subnets: Vec<String>,
    /// A launch template with its version, or an image.
    pub(super) source: Option<Pinned>,
    pub(super) key_name: Option<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) instance_profile: Option<String>,
    pub(super) user_data: Option<String>,
    pub(super) spot_max_price: Option<String>,
    pub(super) worker_tags: Vec<Tag>,
    pub(super) control_plane_tags: Vec<Tag>,
    pub(super) control_plane_instances: Vec<String>,
}

impl Ec2Config {
    /// A configuration in the making.
    pub const fn builder(cluster: ClusterId) -> Ec2ConfigBuilder {
        Ec2ConfigBuilder {
            config: Self {
                cluster,
                subnets: Vec::new(),
                source: None,
                key_name: None,
                security_groups: Vec::new(),
                instance_profile: None,
                user_data: None,
                spot_max_price: None,
                worker_tags: Vec::new(),
                control_plane_tags: Vec::new(),
                control_plane_instances: Vec::new(),
            },
            errors: ConfigErrors::new(),
        }
    }
}

impl fmt::Debug for Ec2Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, subnets, source, worker_tags, .. } = self;
        let mut shown = f.debug_struct("Ec2Config");
        shown.field("cluster", cluster).field("subnets", subnets).field("source", source);
        // User data is nobody's business in a log.
        shown.field("worker_tags", worker_tags).finish_non_exhaustive()
    }
}

/// Makes an [`Ec2Config`].
#[derive(Clone, Debug)]
#[must_use = "`build` makes the configuration"]
pub struct Ec2ConfigBuilder {
    config: Ec2Config,
    errors: ConfigErrors,
}

/// Whether a text is a resource id: a prefix and hexadecimal digits.
fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    (8..=32).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Visible ASCII, with spaces inside.
fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && text.trim() == text
}

/// What can be a tag's key here. Tags are read from the instance's metadata, which takes no spaces and slashes.
fn is_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+-=._:@,".contains(&b);
    (1..=127).contains(&key.len())
        && key.bytes().all(allowed)
        && !matches!(key, "." | ".." | "_index")
        && !["aws:", "asc:"].iter().any(|prefix| key.to_ascii_lowercase().starts_with(prefix))
        && key != "Name"
}

const KEY: &str =
    "1 to 127 letters, digits and any of + - = . _ : @ , not beginning with aws: or asc:, not Name";
const VALUE: &str = "at most 255 visible ASCII characters";

impl Ec2ConfigBuilder {
    fn wants(&mut self, holds: bool, field: &str, value: &str, expected: &str) {
        self.errors.check(holds, field, value, expected);
    }

    fn tag(&mut self, field: &'static str, (key, value): &Tag) {
        self.wants(is_key(key), field, key, KEY);
        self.wants(value.is_empty() || is_plain(value, 255), field, value, VALUE);
    }

    /// The subnets that machines are put in, at least one. Their zones are looked up; a zone with several takes turns.
    pub fn with_subnets(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.subnets = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The launch template, by id or name, and its version: a number, so that it stays what it is. A pool may pin another
    /// one. It must not name subnets or network interfaces.
    pub fn with_launch_template(mut self, template: impl Into<String>, version: u64) -> Self {
        self.config.source = Some(Pinned::Template { template: template.into(), version });
        self
    }

    /// The image, by id or as `resolve:ssm:<parameter>`, for machines without a launch template. A pool may pin another one.
    pub fn with_image(mut self, image: impl Into<String>) -> Self {
        self.config.source = Some(Pinned::Image(image.into()));
        self
    }

    /// The name of a key pair. Default: none.
    pub fn with_key_name(mut self, name: impl Into<String>) -> Self {
        self.config.key_name = Some(name.into());
        self
    }

    /// Security groups. Default: those of the launch template, or of the subnet's network.
    pub fn with_security_groups(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.security_groups = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The instance profile, by name or ARN. Default: that of the launch template, or none.
    pub fn with_instance_profile(mut self, profile: impl Into<String>) -> Self {
        self.config.instance_profile = Some(profile.into());
        self
    }

    /// User data, as it is: one fixed text for all machines. What differs between them is in their tags, which a machine
    /// reads from its metadata. Anyone who may run code on a machine can read it: no secrets.
    pub fn with_user_data(mut self, text: impl Into<String>) -> Self {
        self.config.user_data = Some(text.into());
        self
    }

    /// The most to pay for spot, in dollars an hour. Default: the price on demand.
    pub fn with_spot_max_price(mut self, dollars: impl Into<String>) -> Self {
        self.config.spot_max_price = Some(dollars.into());
        self
    }

    /// A tag that workers carry besides this library's own: new machines get it, and machines that were there before and
    /// carry all such tags are counted as workers. May be given several times, such as for the cluster and for the role.
    pub fn with_worker_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.worker_tags.push((key.into(), value.into()));
        self
    }

    /// A tag that marks the control plane: what carries any of these is never touched. May be given several times.
    pub fn with_control_plane_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.control_plane_tags.push((key.into(), value.into()));
        self
    }

    /// Instances that are never touched, whatever they carry.
    pub fn with_control_plane_instances(mut self, ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.control_plane_instances = ids.into_iter().map(Into::into).collect();
        self
    }

    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn build(mut self) -> Result<Ec2Config, ConfigErrors> {
        let config = self.config.clone();
        self.wants(!config.subnets.is_empty(), "subnets", "", "at least one subnet id");
        for id in &config.subnets {
            self.wants(is_id(id, "subnet-"), "subnets", id, "subnet- and 8 to 32 hexadecimal digits");
        }
        match &config.source {
            Some(Pinned::Template { template, version }) => {
                let named = Pinned::parse(&format!("{template}:{version}"));
                let right = matches!(named, Ok(Some(Pinned::Template { .. })));
                self.wants(right, "launch_template", template, "an id or a name, and a version from 1");
            }
            Some(Pinned::Image(image)) => {
                let right = matches!(Pinned::parse(image), Ok(Some(Pinned::Image(_))));
                self.wants(
                    right,
                    "image",
                    image,
                    "ami- and hexadecimal digits, or resolve:ssm: and a parameter",
                );
            }
            None => {}
        }
        if let Some(name) = &config.key_name {
            self.wants(is_plain(name, 255), "key_name", name, VALUE);
        }
        for id in &config.security_groups {
            self.wants(is_id(id, "sg-"), "security_groups", id, "sg- and 8 to 32 hexadecimal digits");
        }
        if let Some(profile) = &config.instance_profile {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_:/".contains(&b);
            let right = (1..=600).contains(&profile.len()) && profile.bytes().all(allowed);
            self.wants(right, "instance_profile", profile, "a name or an ARN");
        }
        if let Some(text) = &config.user_data {
            self.wants(text.len() <= MAX_USER_DATA, "user_data", "(not shown)", "at most 16384 bytes");
        }
        if let Some(price) = &config.spot_max_price {
            let number = price.bytes().all(|b| b.is_ascii_digit() || b == b'.') && price.len() <= 20;
            let above_zero = price.parse::<f64>().is_ok_and(|price| price > 0.0);
            self.wants(number && above_zero, "spot_max_price", price, "dollars an hour, such as 0.05");
        }
        config.worker_tags.iter().for_each(|tag| self.tag("worker_tag", tag));
        let few = config.worker_tags.len() <= 20;
        self.wants(few, "worker_tag", &config.worker_tags.len().to_string(), "at most 20 tags");
        config.control_plane_tags.iter().for_each(|tag| self.tag("control_plane_tag", tag));
        for tag in config.control_plane_tags.iter().filter(|tag| config.worker_tags.contains(tag)) {
            self.wants(false, "control_plane_tag", &tag.0, "a tag that workers do not carry");
        }
        for id in &config.control_plane_instances {
            self.wants(is_id(id, "i-"), "control_plane_instances", id, "i- and 8 to 32 hexadecimal digits");
        }
        self.errors.or(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Ec2ConfigBuilder {
        Ec2Config::builder(ClusterId::new("shop").unwrap()).with_subnets(["subnet-0123456789abcdef0"])
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let wrong = Ec2Config::builder(ClusterId::new("shop").unwrap())
            .with_subnets(["subnet-1"])
            .with_image("ubuntu\n")
            .with_security_groups(["sg-0123456789abcdef0", "default"])
            .with_spot_max_price("-1")
            .with_worker_tag("aws:x", "a\nb")
            .with_worker_tag("kubernetes.io/role", "worker")
            .with_control_plane_instances(["master"])
            .build()
            .unwrap_err();
        let fields: Vec<_> = wrong.iter().map(|error| error.field.as_str()).collect();
        let expected = [
            "subnets",
            "image",
            "security_groups",
            "spot_max_price",
            "worker_tag",
            "worker_tag",
            "worker_tag",
            "control_plane_instances",
        ];
        assert_eq!(fields, expected);
        let text = wrong.to_string();
        assert!(text.starts_with("subnets: \"subnet-1\": expected subnet- and 8"), "{text}");
        assert!(text.contains("image: \"ubuntu\\u{a}\": expected ami-"), "{text}");
        assert_eq!(text.lines().count(), expected.len());
        let none = Ec2Config::builder(ClusterId::new("shop").unwrap()).build().unwrap_err();
        assert_eq!(none.to_string(), "subnets: \"\": expected at least one subnet id");
        let same = builder().with_worker_tag("role", "node").with_control_plane_tag("role", "node").build();
        assert!(same.unwrap_err().to_string().contains("a tag that workers do not carry"));
    }

    #[test]
    fn user_data_is_not_shown() {
        let config = builder().with_user_data("#!/bin/sh\ncanary").with_launch_template("workers", 3).build();
        let config = config.unwrap();
        assert!(!format!("{config:?}").contains("canary"));
        let long = builder().with_user_data("x".repeat(MAX_USER_DATA + 1)).build().unwrap_err();
        assert!(long.to_string().contains("at most 16384 bytes") && !long.to_string().contains("xxx"));
    }
}
