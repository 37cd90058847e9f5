//! The one instance that carries the master's tags, and its private address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use autoscale_core::ports::{Error, ErrorKind, Result};
use autoscale_core::words::truncated;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Config;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{Filter, InstanceStateName};

use crate::settings::Tag;

/// Pages that are read: a cluster has one master.
const PAGES: usize = 5;

/// Looks for the master.
#[derive(Clone, Debug)]
pub struct Master {
    client: Client,
    tags: Vec<Tag>,
}

impl Master {
    /// The instance that carries all of these tags.
    pub const fn new(client: Client, tags: Vec<Tag>) -> Self {
        Self { client, tags }
    }

    /// Its private address.
    ///
    /// # Errors
    /// `Unavailable` if none runs, or EC2 does not answer; `Invalid` if several do, or its address is none that is connected to;
    /// `Denied` with the missing action.
    pub async fn address(&self) -> Result<IpAddr> {
        let shown: Vec<String> = self.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let attempted = format!("find the master, tagged {}", truncated(&shown.join(" and "), 200));
        let error = |kind| Error::new(kind, &attempted);
        let mut running = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let mut ask = self.client.describe_instances().set_next_token(token);
            for (key, value) in &self.tags {
                ask = ask.filters(Filter::builder().name(format!("tag:{key}")).values(value).build());
            }
            let once = Config::builder().retry_config(RetryConfig::disabled());
            let page = ask.customize().config_override(once).send().await.map_err(|failure| {
                let code = failure.as_service_error().and_then(|error| error.meta().code());
                error(match code {
                    Some("UnauthorizedOperation") => {
                        ErrorKind::Denied { action: "ec2:DescribeInstances".to_owned() }
                    }
                    Some("RequestLimitExceeded") => ErrorKind::Throttled { retry_after: None },
                    _ => ErrorKind::Unavailable,
                })
                .with_source(failure.into_service_error())
            })?;
            let instances = page.reservations().iter().flat_map(|reservation| reservation.instances());
            let is_running = |name: Option<&InstanceStateName>| name == Some(&InstanceStateName::Running);
            running.extend(
                instances
                    .filter(|instance| is_running(instance.state().and_then(|state| state.name())))
                    .map(|instance| instance.private_ip_address().unwrap_or_default().to_owned()),
            );
            token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        if token.is_some() || running.len() > 1 {
            // Two would answer for one cluster: nobody can say which is the right one.
            return Err(error(ErrorKind::Invalid).with_source(format!("{} run: expected one", running.len())));
        }
        let Some(text) = running.first() else {
            return Err(error(ErrorKind::Unavailable).with_source("none is running"));
        };
        let invalid = |why: String| error(ErrorKind::Invalid).with_source(why);
        let address: IpAddr =
            text.parse().map_err(|_| invalid(format!("\"{}\" is no address", truncated(text, 40))))?;
        match refused_address(address) {
            None => Ok(address),
            Some(why) => Err(invalid(format!("{address} is {why}: it is not connected to"))),
        }
    }
}

/// Metadata services with addresses like private ones.
const METADATA: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Why an address is none to connect to: only private ones are, as VPCs have them.
pub fn refused_address(address: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&address) {
        return Some("a metadata service");
    }
    let private = match address {
        IpAddr::V4(four) => {
            let [first, second, ..] = four.octets();
            // Besides the private networks, the one of carriers, which VPCs may have as well.
            four.is_private() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(six) => six.is_unique_local(),
    };
    (!private).then_some("no private address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_addresses() {
        for (text, expected) in [
            ("10.0.0.7", None),
            ("172.31.255.1", None),
            ("192.168.1.1", None),
            ("100.64.0.1", None),
            ("fd12::1", None),
            ("100.100.100.200", Some("a metadata service")),
            ("fd00:ec2::254", Some("a metadata service")),
            ("169.254.169.254", Some("no private address")),
            ("127.0.0.1", Some("no private address")),
            ("0.0.0.0", Some("no private address")),
            ("8.8.8.8", Some("no private address")),
            ("172.32.0.1", Some("no private address")),
            ("100.128.0.1", Some("no private address")),
            ("::1", Some("no private address")),
            ("fe80::1", Some("no private address")),
            ("2001:db8::1", Some("no private address")),
            ("::ffff:10.0.0.1", Some("no private address")),
        ] {
            assert_eq!(refused_address(text.parse().unwrap()), expected, "{text}");
        }
    }
}
