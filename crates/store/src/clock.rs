//! The database's time, as this process last heard it: a machine's own clock may be wrong, and what one machine writes
//! down another goes by.
//!
//! Every new connection and every renewal of a worker's lease brings it along. In between this machine's clock goes on
//! from there, so that nothing is asked for the time alone. Whoever decides in a statement takes `now()`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// By how many microseconds the database's clock is ahead of this machine's.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// The current time. Before the first connection it is this machine's.
pub fn now() -> DateTime<Utc> {
    let micros = machine().saturating_add(AHEAD.load(Ordering::Relaxed));
    DateTime::from_timestamp_micros(micros).expect("both clocks show a year of four digits")
}

/// The database just answered what time it is, in microseconds since 1970.
pub(crate) fn hear(micros: i64) {
    AHEAD.store(micros.saturating_sub(machine()), Ordering::Relaxed);
}

fn machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or_default()
}
