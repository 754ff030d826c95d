//! The jobs of workers whose lease has passed go back to the queue. Every worker looks, because the one
//! elected may be the dead one; the statement takes each dead worker once.

use std::time::Duration;

use trunkline_store::Store;

use super::LIMIT;
use crate::lease::{Backoff, within};
use crate::measure::MEASURES;

pub(super) async fn run(store: &Store, lease: Duration) {
    // A stalled step must go on within lease + 5 s.
    let interval = (lease / 6).clamp(Duration::from_millis(100), Duration::from_millis(2_500));
    let mut pause = Backoff::default();
    loop {
        match within(LIMIT, store.rescue_jobs()).await {
            Ok(rescued) => {
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
