//! Due waits become runnable: timers, deadlines, retries.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::waits::{DueMark, Released};

use super::LIMIT;
use super::election::{Election, NOT_ELECTED};
use crate::lease::{Backoff, Lease, within};

/// The longest look away: a wait written meanwhile by anybody may be due sooner than the one known.
const LONGEST: Duration = Duration::from_millis(500);
/// Before the next look when the queue is full enough.
const BUSY: Duration = Duration::from_millis(20);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut mark = DueMark::default();
    let mut election = Election::new(store, lease, "release_due_jobs");
    loop {
        let result = async {
            if !election.is_won().await? {
                return Ok(None);
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
                election.forget();
                pause.report(&error, "cannot release due jobs; trying again");
                pause.wait().await;
            }
        }
    }
}
