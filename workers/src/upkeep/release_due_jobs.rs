//! Due waits become runnable: timers, deadlines, retries.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::waits::{DueMark, Released};

use super::LIMIT;
use crate::lease::{Backoff, Lease, within};

/// The longest look away: a wait written meanwhile by anybody may be due sooner than the one known.
const LONGEST: Duration = Duration::from_millis(500);
/// Before the next look when the queue is full enough.
const BUSY: Duration = Duration::from_millis(20);
/// For those that are not elected.
const NOT_ELECTED: Duration = Duration::from_secs(2);
const ELECTED_FOR: Duration = Duration::from_secs(6);
/// The election is asked about this often, not at every look.
const BETWEEN_ELECTIONS: Duration = Duration::from_secs(3);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut mark = DueMark::default();
    let mut elected_at: Option<tokio::time::Instant> = None;
    loop {
        let result = async {
            if elected_at.is_none_or(|at| at.elapsed() > BETWEEN_ELECTIONS) {
                let now = tokio::time::Instant::now();
                if !store.elect("release_due_jobs", lease.incarnation, ELECTED_FOR).await? {
                    return Ok(None);
                }
                elected_at = Some(now);
            }
            store.release_due(&mut mark).await.map(Some)
        };
        match within(LIMIT, result).await {
            Ok(released) => {
                pause = Backoff::default();
                let wait = match released {
                    None => NOT_ELECTED,
                    Some(Released::Nothing { next_due_in }) => next_due_in.unwrap_or(LONGEST).min(LONGEST),
                    Some(Released::Later) => BUSY,
                    Some(Released::Some(_)) => continue,
                };
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                elected_at = None;
                pause.report(&error, "cannot release due jobs; trying again");
                pause.wait().await;
            }
        }
    }
}
