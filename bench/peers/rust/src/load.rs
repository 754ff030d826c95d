//! How much, how often and how long: the same as in `load.js`.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde::{Deserialize, Serialize};

pub const STEPS: usize = 5;
pub const PER_SECOND: usize = 20;
/// Starts that do not count.
pub const WARM_UP: usize = 20;
const LIMIT: Duration = Duration::from_secs(120);

/// What instances begin with. `instance` tells one from another, where nothing else does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    pub instance: usize,
    pub n: usize,
    pub text: String,
    pub list: Vec<u32>,
}

pub fn input(instance: usize) -> Input {
    Input { instance, n: 1, text: "hello".to_owned(), list: vec![1, 2, 3] }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Parked {
    pub phone: String,
}

pub fn parked(n: usize) -> Parked {
    Parked { phone: format!("+65{n:08}") }
}

pub async fn until(
    what: &str,
    pause: Duration,
    condition: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !condition().await? {
        ensure!(begun.elapsed() < LIMIT, "not so after {} s: {what}", LIMIT.as_secs());
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// Of durations in any order, in milliseconds: the 50th and the 99th.
pub fn percentiles(mut latencies: Vec<Duration>) -> (f64, f64) {
    latencies.sort_unstable();
    let percentile = |n: usize| {
        let rank = (latencies.len() * n).div_ceil(100).max(1);
        latencies.get(rank - 1).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    };
    (percentile(50), percentile(99))
}
