//! Where a source may connect to. The address that was judged is the one that is connected to: names are resolved here, for
//! each connection, so that a name cannot show one address first and another one later.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Metadata services outside of the link-local networks: AWS, Alibaba, Azure's host, Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// An address that nobody connects to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{host} is {kind}, {ip}: it is not connected to")]
pub(super) struct Refused {
    host: String,
    ip: IpAddr,
    kind: &'static str,
}

/// Whether an address may be connected to.
pub(super) fn judge(host: &str, ip: IpAddr, loopback: bool) -> Result<(), Refused> {
    let inner = unwrapped(ip);
    let kind = match inner {
        _ if METADATA.contains(&inner) => Some("a metadata service"),
        _ if inner.is_unspecified() => Some("an unspecified address"),
        _ if inner.is_multicast() => Some("a multicast address"),
        _ if inner.is_loopback() => (!loopback).then_some("a loopback address, which is not allowed"),
        IpAddr::V4(ip) if ip.is_link_local() => Some("a link-local address"),
        IpAddr::V4(ip) if ip.is_broadcast() => Some("a broadcast address"),
        IpAddr::V4(ip) if ip.octets().first() == Some(&0) => Some("an unspecified address"),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some("a link-local address"),
        _ => None,
    };
    kind.map_or(Ok(()), |kind| Err(Refused { host: host.to_owned(), ip, kind }))
}

/// The IPv4 address inside of an IPv6 one: mapped, compatible, translated (64:ff9b::/96) or of a 6to4 network.
fn unwrapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let four = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => ip,
    }
}

/// What a name stands for.
type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Looks names up and lets through what may be connected to.
#[derive(Clone)]
pub(super) struct Resolver {
    loopback: bool,
    lookup: Lookup,
}

impl Resolver {
    /// As the machine resolves names.
    pub(super) fn of_machine(loopback: bool) -> Self {
        let lookup: Lookup = Arc::new(|name| {
            Box::pin(async move {
                let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            })
        });
        Self { loopback, lookup }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, loopback) = (name.as_str().to_owned(), self.loopback);
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = found.await?;
            // One address that is not allowed spoils the name: whoever answers for it is not to be trusted.
            for ip in &found {
                judge(&host, *ip, loopback)?;
            }
            // Port 0 stands for that of the URL.
            let addresses: Addrs = Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_connects_to() {
        for (ip, expected) in [
            ("10.1.2.3", None),
            ("192.168.0.1", None),
            ("8.8.8.8", None),
            ("fd00::1", None),
            ("2001:db8::1", None),
            ("64:ff9b::808:808", None),
            ("169.254.169.254", Some("a link-local address")),
            ("169.254.0.1", Some("a link-local address")),
            ("fe80::1", Some("a link-local address")),
            ("febf::1", Some("a link-local address")),
            ("::ffff:169.254.169.254", Some("a link-local address")),
            ("64:ff9b::a9fe:a9fe", Some("a link-local address")),
            ("::a9fe:a9fe", Some("a link-local address")),
            ("2002:a9fe:a9fe::1", Some("a link-local address")),
            ("fd00:ec2::254", Some("a metadata service")),
            ("100.100.100.200", Some("a metadata service")),
            ("168.63.129.16", Some("a metadata service")),
            ("::ffff:168.63.129.16", Some("a metadata service")),
            ("0.0.0.0", Some("an unspecified address")),
            ("0.1.2.3", Some("an unspecified address")),
            ("::", Some("an unspecified address")),
            ("224.0.0.1", Some("a multicast address")),
            ("ff02::1", Some("a multicast address")),
            ("255.255.255.255", Some("a broadcast address")),
            ("127.0.0.1", Some("a loopback address, which is not allowed")),
            ("127.9.9.9", Some("a loopback address, which is not allowed")),
            ("::1", Some("a loopback address, which is not allowed")),
            ("::ffff:127.0.0.1", Some("a loopback address, which is not allowed")),
        ] {
            let found = judge("h", ip.parse().unwrap(), false).err().map(|refused| refused.kind);
            assert_eq!(found, expected, "{ip}");
            let local = expected.is_some_and(|kind| kind.contains("loopback"));
            assert_eq!(judge("h", ip.parse().unwrap(), true).is_ok(), expected.is_none() || local, "{ip}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_all_it_stands_for() {
        let resolve = async |found: &'static [&str], loopback: bool| {
            let lookup: Lookup = Arc::new(move |_| {
                Box::pin(async move { Ok(found.iter().map(|ip| ip.parse().unwrap()).collect()) })
            });
            let name = "prometheus.example".parse::<Name>().unwrap();
            match (Resolver { loopback, lookup }).resolve(name).await {
                Ok(addresses) => addresses.map(|address| address.to_string()).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(resolve(&["10.0.0.1", "10.0.0.2"], false).await, "10.0.0.1:0 10.0.0.2:0");
        let refused = "prometheus.example is a link-local address, 169.254.169.254: it is not connected to";
        assert_eq!(resolve(&["10.0.0.1", "169.254.169.254"], true).await, refused);
        let local =
            "prometheus.example is a loopback address, which is not allowed, ::1: it is not connected to";
        assert_eq!(resolve(&["::1"], false).await, local);
        assert_eq!(resolve(&["::1"], true).await, "[::1]:0");
    }
}
