//! Which addresses may be called (spec U-66). Definitions are written by customers, so their URLs
//! must not reach the network that the server itself stands in.
//!
//! ```text
//! IPv4   everything but the blocks of the IANA special-purpose registry
//! IPv6   only global unicast (2000::/3) without its special blocks
//! IPv6 that ends up at an IPv4 address
//!        mapped, NAT64: judged by that address; 6to4, ISATAP: by both
//! ```

use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What [`OutboundClient`](super::OutboundClient) may connect to. The default is the public
/// internet and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Any address at all, the machine itself included. For development.
    pub allow_private: bool,
    /// Networks that may be called although they are not public.
    pub allowed: Vec<IpNet>,
}

impl AddressPolicy {
    /// Whether a connection to `address` may be opened.
    pub fn permits(&self, address: IpAddr) -> bool {
        if self.allow_private {
            return true;
        }
        let address = address.to_canonical();
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return true;
        }
        match address {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => match translated_v4(v6) {
                Some(v4) => self.permits(v4.into()),
                None => is_public_v6(v6) && tunnelled_v4(v6).is_none_or(|v4| self.permits(v4.into())),
            },
        }
    }
}

/// Reads `10.1.0.0/16` or a single address.
pub fn parse_network(text: &str) -> Result<IpNet, AddrParseError> {
    let text = text.trim();
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // "this network", private, loopback; multicast, reserved, broadcast
        [0 | 10 | 127 | 224..=255, ..]
        // shared by carrier-grade NAT; one cloud keeps its metadata service in it
        | [100, 64..=127, ..]
        // link-local, where the other clouds keep theirs
        | [169, 254, ..]
        | [172, 16..=31, ..]
        // protocol assignments, documentation, the 6to4 relay
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        // benchmarking, documentation
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // public by number, but every Azure machine reaches its host's agent under it
        | [168, 63, 129, 16] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    // Protocol assignments (Teredo, benchmarking and ORCHID among them), documentation twice.
    let special = matches!(segments, [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..]);
    global_unicast && !special
}

/// Behind NAT64 every IPv4 address has an IPv6 one. The prefix itself is not global unicast.
/// (`to_canonical` has dealt with mapped addresses before.)
fn translated_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4_of(high, low)),
        _ => None,
    }
}

/// The end of the tunnel that a 6to4 or ISATAP address stands for.
fn tunnelled_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x2002, high, low, ..] | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(v4_of(high, low)),
        _ => None,
    }
}

fn v4_of(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::{AddressPolicy, parse_network};

    fn permits(policy: &AddressPolicy, address: &str) -> bool {
        policy.permits(address.parse().unwrap())
    }

    const REFUSED: [&str; 65] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:101::1",
        "2002:a9fe:a9fe::1",
        "2606:4700::5efe:10.0.0.1",
        "2606:4700::200:5efe:127.0.0.1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff:ffff::1",
        "fd00::5efe:8.8.8.8",
        "fe80::1",
        "fe80::5efe:8.8.8.8",
        "fe80::200:5efe:808:808",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ];

    const PERMITTED: [&str; 23] = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.1",
        "52.220.117.120",
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.1.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.1.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700::5efe:8.8.8.8",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "3ffe::1",
    ];

    #[test]
    fn only_public_addresses_are_permitted() {
        let policy = AddressPolicy::default();
        for address in REFUSED {
            assert!(!permits(&policy, address), "{address} is permitted");
        }
        for address in PERMITTED {
            assert!(permits(&policy, address), "{address} is refused");
        }
    }

    #[test]
    fn an_allowed_network_is_permitted_in_every_spelling_and_nothing_beside_it() {
        let policy = AddressPolicy {
            allow_private: false,
            allowed: vec![parse_network("10.1.0.0/16").unwrap(), parse_network(" fd00::1 ").unwrap()],
        };
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "2002:a01:203::1", "fd00::1"] {
            assert!(permits(&policy, address), "{address} is refused");
        }
        for address in ["10.2.0.1", "::ffff:10.2.0.1", "127.0.0.1", "fd00::2"] {
            assert!(!permits(&policy, address), "{address} is permitted");
        }
    }

    #[test]
    fn a_development_policy_permits_everything() {
        let policy = AddressPolicy { allow_private: true, allowed: Vec::new() };
        assert!(REFUSED.iter().all(|address| permits(&policy, address)));
    }

    #[test]
    fn a_network_that_is_none_is_not_read() {
        for text in ["", "10.0.0.0/33", "ten", "10.0.0/8"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }
}
