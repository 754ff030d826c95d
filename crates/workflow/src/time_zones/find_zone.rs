//! Finds the IANA rules of a zone id, and lists the zones.

use chrono_tz::Tz;

use super::table::ZONES;

/// One Windows time zone (Appendix A of the Automation API specification).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone {
    /// The Windows id, the value that scripts pass.
    pub id: &'static str,
    /// The Windows city list.
    pub cities: &'static str,
    /// The standard offset as Windows prints it, `+08:00`; for display and order only.
    pub offset: &'static str,
    /// The IANA zone whose rules are used.
    pub iana: &'static str,
}

impl TimeZone {
    /// The display name: cities and standard offset, `Kuala Lumpur, Singapore (UTC+08:00)`.
    pub fn name(&self) -> String {
        if self.id == "UTC" {
            return format!("{} (UTC)", self.cities);
        }
        format!("{} (UTC{})", self.cities, self.offset)
    }
}

/// Ids of older Windows versions, and what replaced them.
const ALIASES: &[(&str, &str)] =
    &[("Mid-Atlantic Standard Time", "UTC-02"), ("Kamchatka Standard Time", "Russia Time Zone 11")];

/// All zones, by standard offset and then by name.
pub fn all() -> &'static [TimeZone] {
    ZONES
}

/// The rules of a zone: by Windows id, by an old Windows id, or (our extension) by IANA name. Letter
/// case does not matter.
pub fn find(id: &str) -> Option<Tz> {
    let id = id.trim();
    let id = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(id)).map_or(id, |(_, new)| new);
    match ZONES.iter().find(|zone| zone.id.eq_ignore_ascii_case(id)) {
        Some(zone) => zone.iana.parse().ok(),
        None => Tz::from_str_insensitive(id).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_243_every_zone_has_rules() {
        for zone in all() {
            assert!(zone.iana.parse::<Tz>().is_ok(), "{}", zone.iana);
            assert_eq!(find(zone.id).unwrap().name(), zone.iana);
        }
        assert_eq!(all().len(), 139);
    }

    #[test]
    fn zones_are_listed_by_offset_and_then_by_name() {
        let minutes = |zone: &TimeZone| {
            let number = |range: std::ops::Range<usize>| zone.offset[range].parse::<i32>().unwrap();
            let size = number(1..3) * 60 + number(4..6);
            if zone.offset.starts_with('-') { -size } else { size }
        };
        let keys: Vec<_> = all().iter().map(|zone| (minutes(zone), zone.name())).collect();
        assert!(keys.is_sorted());
    }

    #[test]
    fn a_name_is_the_cities_and_the_offset() {
        let named = |id| all().iter().find(|zone| zone.id == id).unwrap().name();
        assert_eq!(named("Singapore Standard Time"), "Kuala Lumpur, Singapore (UTC+08:00)");
        assert_eq!(named("UTC"), "Coordinated Universal Time (UTC)");
    }

    #[test]
    fn a_zone_is_found_by_old_ids_iana_names_and_in_any_case() {
        assert_eq!(find("Mid-Atlantic Standard Time").unwrap().name(), "Etc/GMT+2");
        assert_eq!(find("Kamchatka Standard Time").unwrap().name(), "Asia/Kamchatka");
        assert_eq!(find("Europe/Berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(find(" singapore standard time ").unwrap().name(), "Asia/Singapore");
        assert!(find("Nowhere Standard Time").is_none());
        assert!(find("").is_none());
    }
}
