//! Networks, in a list with commas.

use trunkline_connectors::outbound::{IpNet, parse_network};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

/// An empty list is what deployments write for "none".
pub fn parse_networks(text: &str) -> Result<Networks, String> {
    if text.trim().is_empty() {
        return Ok(Networks::default());
    }
    let network = |part: &str| {
        parse_network(part)
            .map_err(|_| format!("`{part}` is neither a network (`10.1.0.0/16`) nor an address"))
    };
    text.split(',').map(network).collect::<Result<_, _>>().map(Networks)
}

#[cfg(test)]
mod tests {
    use super::{Networks, parse_networks};

    #[test]
    fn networks_are_read_from_a_list() {
        assert_eq!(parse_networks(" "), Ok(Networks::default()));
        assert_eq!(parse_networks("10.1.0.0/16, ::1").unwrap().0.len(), 2);
        for bad in ["10.1.0.0/33", "10.1.0.0/16,", "intranet"] {
            assert!(parse_networks(bad).is_err(), "{bad}");
        }
    }
}
