//! The time zones that scripts name: Windows ids, computed with the IANA rules.

mod find_zone;
mod table;

pub use find_zone::{TimeZone, all, find};
