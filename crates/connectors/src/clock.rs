//! The machine's clock, for whoever has no database to ask: the rest goes by `store::clock`. Nobody reads it anywhere
//! else, so that tests can hold it.

use chrono::{DateTime, Utc};

/// A source of the current time, to be handed in.
pub type Clock = fn() -> DateTime<Utc>;

/// The current time, UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
