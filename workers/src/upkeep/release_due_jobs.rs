//! Due waits become runnable: timers, deadlines, retries.

use std::time::Duration;

use trunkline_store::Store;

use crate::lease::{Backoff, Lease};

/// The longest look away: a wait written meanwhile by anybody may be due sooner than the one known.
const LONGEST: Duration = Duration::from_millis(500);
/// Between batches when more is due than the queue should hold.
const BUSY: Duration = Duration::from_millis(20);
const ELECTED_FOR: Duration = Duration::from_secs(3);
/// The election is asked about this often, not at every look.
const LOOKS_PER_ELECTION: u32 = 4;

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut looks = 0;
    loop {
        let result = async {
            if looks == 0 && !store.elect("release_due_jobs", lease.incarnation, ELECTED_FOR).await? {
                return Ok(None);
            }
            looks = (looks + 1) % LOOKS_PER_ELECTION;
            store.release_due().await.map(Some)
        };
        match result.await {
            Ok(released) => {
                pause = Backoff::default();
                let next = match released {
                    Some(released) if released.more && released.count == 0 => BUSY,
                    Some(released) => released.next_due_in.unwrap_or(LONGEST).min(LONGEST),
                    None => Duration::from_secs(1),
                };
                tokio::time::sleep(next).await;
            }
            Err(error) => {
                looks = 0;
                pause.report(&error, "cannot release due jobs; trying again");
                pause.wait().await;
            }
        }
    }
}
