//! A process at which nobody looks must not grow.

use std::time::Duration;

const PAUSE: Duration = Duration::from_secs(5);

/// Sorts what histograms were given into their buckets, every few seconds.
pub async fn keep_tidy() {
    loop {
        tokio::time::sleep(PAUSE).await;
        trunkline_telemetry::tidy();
    }
}
