//! Numbers of the query.

use std::ops::RangeInclusive;

use super::problem::InvalidParameter;
use crate::api::query::Query;

/// The number of that name, or the default; one that is none or out of range is noted.
pub(super) fn read_number(
    query: &Query,
    name: &str,
    default: i64,
    range: RangeInclusive<i64>,
    invalid: &mut Vec<InvalidParameter>,
) -> i64 {
    let Some(text) = query.text(name) else { return default };
    text.parse().ok().filter(|number| range.contains(number)).unwrap_or_else(|| {
        let reason = format!("must be a number from {} to {}", range.start(), range.end());
        invalid.push(InvalidParameter::new(name, reason));
        default
    })
}
