//! What instances are found by is written down a while after they started.

use std::time::{Duration, Instant};

use trunkline_store::{Store, StoreError};

/// How far machines' clocks may be apart, and how long a start may take.
const LAG: Duration = Duration::from_secs(60);
/// Of a run; what is left is for the next one.
const LONGEST: Duration = Duration::from_secs(3);

pub(super) async fn run(store: Store) -> Result<(), StoreError> {
    let begun = Instant::now();
    while store.follow_instances(LAG).await? && begun.elapsed() < LONGEST {}
    while store.follow_unfinished().await? && begun.elapsed() < LONGEST {}
    // Time of its own: what is written and never merged, each search has to read.
    let begun = Instant::now();
    while store.merge_buckets().await? && begun.elapsed() < LONGEST {}
    while store.follow_former_unfinished().await? && begun.elapsed() < LONGEST {}
    while store.note_older_failures().await? && begun.elapsed() < LONGEST {}
    Ok(())
}
