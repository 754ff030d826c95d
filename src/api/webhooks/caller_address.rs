//! Which address a request comes from. A proxy in between is believed about it if the operator trusts it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use trunkline_connectors::outbound::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `None`: it cannot be told.
pub(super) fn caller_address(parts: &Parts, trusted: &[IpNet]) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    behind_proxies(peer.ip(), &parts.headers, trusted)
}

/// Every proxy appends who called it, so the list is read from its end: the first address that is no trusted
/// proxy is the caller's, and what stands before it is hearsay.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut address = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    for line in lines {
        for hop in line.to_str().ok()?.rsplit(',') {
            if !trusted.iter().any(|network| network.contains(&address)) {
                return Some(address);
            }
            address = read_hop(hop)?;
        }
    }
    Some(address)
}

/// Some proxies write the port, too.
fn read_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address = text.parse().or_else(|_| with_port()).ok().or_else(in_brackets)?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use trunkline_connectors::outbound::parse_network;

    use super::*;

    #[test]
    fn the_caller_is_the_last_hop_that_is_no_trusted_proxy() {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| parse_network(network).unwrap());
        for (peer, forwarded, caller) in [
            ("192.0.2.1", &[][..], Some("192.0.2.1")),
            // Not a proxy of ours: anybody can write a header.
            ("192.0.2.1", &["52.10.10.63"], Some("192.0.2.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["52.10.10.63"], Some("52.10.10.63")),
            ("::ffff:10.0.0.1", &["::ffff:52.10.10.63"], Some("52.10.10.63")),
            ("10.0.0.1", &["1.1.1.1, 52.10.10.63"], Some("52.10.10.63")),
            ("10.0.0.1", &["52.10.10.63, 10.0.0.2,fd00::1"], Some("52.10.10.63")),
            ("10.0.0.1", &["52.10.10.63", "10.0.0.2"], Some("52.10.10.63")),
            ("10.0.0.1", &["52.10.10.63", "1.1.1.1"], Some("1.1.1.1")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("10.0.0.1", &["52.10.10.63:4711"], Some("52.10.10.63")),
            ("10.0.0.1", &["[2001:4860::1]:4711"], Some("2001:4860::1")),
            ("10.0.0.1", &["[2001:4860::1]"], Some("2001:4860::1")),
            ("10.0.0.1", &["52.10.10.63, unknown"], None),
            ("10.0.0.1", &[""], None),
            ("10.0.0.1", &["unknown, 52.10.10.63"], Some("52.10.10.63")),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let found = behind_proxies(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, caller.map(|caller| caller.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }
}
