//! The database's time, as this process last heard it: a machine's own clock may be wrong, and what one machine writes
//! down another goes by.
//!
//! Every new connection and every renewal of a worker's lease brings it along. From there it goes on by the seconds that
//! pass, whatever somebody does to this machine's clock meanwhile, so that nothing is asked for the time alone. Whoever
//! decides in a statement takes `now()`.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// An answer that took longer says little.
const LATE: Duration = Duration::from_secs(1);

/// Where this process begins to count.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// The database's time then, in microseconds since 1970.
static BEGAN_AT: AtomicI64 = AtomicI64::new(NEVER_HEARD);
const NEVER_HEARD: i64 = i64::MIN;

/// The current time. Before the first connection it is this machine's.
pub fn now() -> DateTime<Utc> {
    let micros = match BEGAN_AT.load(Ordering::Relaxed) {
        NEVER_HEARD => machine(),
        began_at => began_at.saturating_add(micros(BEGAN.elapsed())),
    };
    DateTime::from_timestamp_micros(micros).expect("both clocks show a year of four digits")
}

/// The database said what time it is, in microseconds since 1970, to a question of this moment.
pub(crate) fn hear(time: i64, asked: Instant) {
    let took = asked.elapsed();
    if took <= LATE || BEGAN_AT.load(Ordering::Relaxed) == NEVER_HEARD {
        let since = BEGAN.elapsed().saturating_sub(took / 2);
        BEGAN_AT.store(time.saturating_sub(micros(since)), Ordering::Relaxed);
    }
}

fn machine() -> i64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or_default()
}
