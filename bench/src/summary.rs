//! Figures from measurements.

use std::time::Duration;

use crate::processor_time::{ProcessorTime, Shares};

/// What a part about steps measured in one round.
pub struct Throughput {
    pub per_second: f64,
    pub processor_time: Option<Shares>,
}

impl Throughput {
    pub fn new(count: usize, elapsed: Duration, processor_time: &ProcessorTime) -> Self {
        Self { per_second: per_second(count, elapsed), processor_time: processor_time.shares(count) }
    }
}

/// Several rounds of a part, the slowest first.
pub struct Rounds(Vec<Throughput>);

impl Rounds {
    /// `None`: there were none.
    pub fn new(mut rounds: Vec<Throughput>) -> Option<Self> {
        rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        (!rounds.is_empty()).then_some(Self(rounds))
    }

    pub fn middle(&self) -> &Throughput {
        &self.0[self.0.len() / 2]
    }

    /// The slowest and the fastest.
    pub fn range(&self) -> (f64, f64) {
        (self.0[0].per_second, self.0[self.0.len() - 1].per_second)
    }
}

pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("we count to some millions")) / elapsed.as_secs_f64()
}

/// Durations in order.
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// `None`: there are none.
    pub fn new(mut latencies: Vec<Duration>) -> Option<Self> {
        latencies.sort_unstable();
        (!latencies.is_empty()).then_some(Self(latencies))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds: what so many of a hundred do not exceed.
    pub fn percentile(&self, of_hundred: usize) -> f64 {
        let rank = (self.0.len() * of_hundred).div_ceil(100).max(1);
        self.0[rank - 1].as_secs_f64() * 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let latencies = Latencies::new((1..=600).rev().map(Duration::from_millis).collect()).unwrap();
        for (of_hundred, expected) in [(50, 300.0), (99, 594.0), (100, 600.0)] {
            assert!((latencies.percentile(of_hundred) - expected).abs() < 1e-9, "{of_hundred}");
        }
        let one = Latencies::new(vec![Duration::from_millis(1)]).unwrap();
        assert!((one.percentile(50) - 1.0).abs() < 1e-9);
        assert!(Latencies::new(Vec::new()).is_none());
    }

    #[test]
    fn the_middle_round_counts() {
        let round = |per_second| Throughput { per_second, processor_time: None };
        let rounds = Rounds::new([3.0, 1.0, 2.0].map(round).into()).unwrap();
        assert!((rounds.middle().per_second - 2.0).abs() < 1e-9);
        assert_eq!(rounds.range(), (1.0, 3.0));
        assert!(Rounds::new(Vec::new()).is_none());
    }
}
