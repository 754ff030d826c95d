//! The jobs of workers whose lease has passed go back to the queue. Every worker looks, because the one
//! elected may be the dead one; the statement takes each dead worker once.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::pace::Pace;

use super::LIMIT;
use crate::lease::{Backoff, within};
use crate::measure::MEASURES;

/// Whoever was lost within this time may well have a claim on its way, and is looked at each time.
const RECENT: Duration = Duration::from_secs(60);
/// The longest time between two looks at all who are remembered: what they held may be kept by an old snapshot.
const BETWEEN_ALL: Duration = Duration::from_secs(60);

pub(super) async fn run(store: &Store, lease: Duration) {
    // A stalled step must go on within lease + 5 s.
    let interval = (lease / 6).clamp(Duration::from_millis(100), Duration::from_millis(2_500));
    let mut of_all = Pace::new(interval, BETWEEN_ALL);
    let mut pause = Backoff::default();
    loop {
        let of_all_begun = of_all.is_due().then(|| of_all.begin());
        let lost_within = if of_all_begun.is_some() { None } else { Some(RECENT) };
        match within(LIMIT, store.rescue_jobs(lost_within)).await {
            Ok(rescued) => {
                if let Some(begun) = of_all_begun {
                    of_all.looked(begun);
                }
                MEASURES.jobs_rescued.increment(rescued);
                pause = Backoff::default();
                tokio::time::sleep(interval).await;
            }
            Err(error) => {
                pause.report(&error, "cannot rescue jobs; trying again");
                pause.wait().await;
            }
        }
    }
}
