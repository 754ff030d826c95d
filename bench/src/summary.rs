//! Figures from measurements.

use std::time::Duration;

pub fn per_second(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).expect("we count to some millions")) / elapsed.as_secs_f64()
}

/// The middle one, and the range.
pub struct Rounds {
    pub middle: f64,
    pub range: (f64, f64),
}

/// `None` of no rounds.
pub fn rounds(mut figures: Vec<f64>) -> Option<Rounds> {
    figures.sort_by(f64::total_cmp);
    let (first, last) = (*figures.first()?, *figures.last()?);
    Some(Rounds { middle: figures[figures.len() / 2], range: (first, last) })
}

/// The smallest duration that so many of a hundred do not exceed, in milliseconds; `sorted` must be, and
/// not be empty.
pub fn percentile(sorted: &[Duration], of_hundred: usize) -> f64 {
    let rank = (sorted.len() * of_hundred).div_ceil(100).max(1);
    sorted[rank - 1].as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let sorted: Vec<_> = (1..=600).map(Duration::from_millis).collect();
        assert!((percentile(&sorted, 50) - 300.0).abs() < 1e-9);
        assert!((percentile(&sorted, 99) - 594.0).abs() < 1e-9);
        assert!((percentile(&sorted[..1], 99) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_middle_round_counts() {
        let found = rounds(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((found.middle, found.range), (2.0, (1.0, 3.0)));
        assert!(rounds(Vec::new()).is_none());
    }
}
