//! Where the platform's message webhooks come from (spec 7.8; its list of 13 October 2025).

use trunkline_connectors::eight_by_eight::Region;

/// Of one region, or of all.
pub(super) fn platform_addresses(region: Option<Region>) -> Vec<String> {
    let regions = region.map_or_else(|| Region::ALL.to_vec(), |region| vec![region]);
    regions.into_iter().flat_map(of_region).map(|address| (*address).to_owned()).collect()
}

fn of_region(region: Region) -> &'static [&'static str] {
    match region {
        Region::AsiaPacific => &["52.220.117.120", "52.220.109.9", "18.136.13.204"],
        Region::NorthAmerica => &["50.112.250.190", "100.21.170.42", "52.10.10.63"],
        Region::Europe => &["34.142.20.188", "34.142.64.178", "34.39.69.103", "34.39.114.155"],
        Region::Indonesia => &["34.101.157.207", "34.101.215.77", "34.34.217.244", "34.101.109.67"],
    }
}

#[cfg(test)]
mod tests {
    use trunkline_connectors::outbound::parse_network;

    use super::{Region, platform_addresses};

    #[test]
    fn every_address_is_one_and_there_is_none_twice() {
        let mut all = platform_addresses(None);
        assert!(all.iter().all(|address| parse_network(address).is_ok()));
        assert_eq!(all.len(), 14);
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 14);
        assert_eq!(platform_addresses(Some(Region::Europe)).len(), 4);
    }
}
