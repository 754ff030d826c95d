//! Times on the wire: UTC with two fractional digits going out, any ISO 8601 date and time coming in
//! (spec 2.1, U-43).

use chrono::{DateTime, Datelike, NaiveDateTime, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// `2026-02-03T04:05:06.78Z`; further digits are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-02-03T04:05:06.78Z")]
pub struct Timestamp(pub DateTime<Utc>);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hundredths = self.0.timestamp_subsec_millis() / 10 % 100;
        serializer.collect_str(&format_args!("{}.{hundredths:02}Z", self.0.format("%Y-%m-%dT%H:%M:%S")))
    }
}

/// Without an offset it is UTC. A blank before the offset is the `+` of a query that was not encoded.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    read(text).or_else(|| read(&plus_for_blank(text)?)).filter(|at| (0..=9999).contains(&at.year()))
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let with_offset = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    with_offset.iter().find_map(|format| Some(DateTime::parse_from_str(text, format).ok()?.to_utc())).or_else(
        || local.iter().find_map(|format| Some(NaiveDateTime::parse_from_str(text, format).ok()?.and_utc())),
    )
}

fn plus_for_blank(text: &str) -> Option<String> {
    let (time, offset) = text.rsplit_once(' ')?;
    time.contains('T').then(|| format!("{time}+{offset}"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn c_010_two_fractional_digits_go_out() {
        let at = Utc.timestamp_opt(1_770_091_446, 789_999_999).unwrap();
        assert_eq!(serde_json::to_string(&Timestamp(at)).unwrap(), r#""2026-02-03T04:04:06.78Z""#);
        let whole = Utc.timestamp_opt(1_770_091_446, 0).unwrap();
        assert_eq!(serde_json::to_string(&Timestamp(whole)).unwrap(), r#""2026-02-03T04:04:06.00Z""#);
    }

    #[test]
    fn iso_8601_comes_in_with_and_without_offset() {
        let noon = Utc.with_ymd_and_hms(2026, 2, 3, 12, 0, 0).unwrap();
        for text in [
            "2026-02-03T12:00:00Z",
            "2026-02-03T12:00:00.00Z",
            "2026-02-03t12:00:00z",
            "2026-02-03T20:00:00+08:00",
            "2026-02-03T20:00:00 08:00",
            "2026-02-03T20:00:00+0800",
            "2026-02-03T20:00+08",
            "2026-02-03T12:00:00",
            "2026-02-03T12:00",
            " 2026-02-03T12:00Z ",
        ] {
            assert_eq!(parse(text), Some(noon), "{text}");
        }
        for text in ["", "soon", "2026-02-03", "2026-02-30T12:00:00Z", "-9999-01-01T00:00:00", "1770091446"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
