//! Those who wait for one thing, and who of them is ahead of whom.

use chrono::{DateTime, Utc};
use trunkline_workflow::InstanceId;

/// In every queue the same: whoever asked first is first, whatever it waited for meanwhile. Who comes under two limits
/// stands in one line at a time; by anything but its age it would be overtaken in the other, again and again.
pub(super) type Place = (DateTime<Utc>, InstanceId, i32);

/// Those who wait for one thing.
#[derive(Default)]
pub(super) struct Line {
    /// In their order.
    pub(super) first: Vec<Place>,
    /// There are more than `first`.
    pub(super) is_longer: bool,
    pub(super) length: u64,
}

impl Line {
    /// How many are ahead of it, whether it stands in this line or not.
    pub(super) fn ahead(&self, place: Place) -> u64 {
        let older = self.first.partition_point(|first| *first < place);
        let ahead = older as u64;
        if older == self.first.len() && self.is_longer { self.length.max(ahead) } else { ahead }
    }

    pub(super) fn join(&mut self, place: Place) {
        let Err(behind) = self.first.binary_search(&place) else { return };
        self.length += 1;
        if behind < self.first.len() || !self.is_longer {
            self.first.insert(behind, place);
        }
    }

    pub(super) fn leave(&mut self, place: Place) {
        if let Ok(found) = self.first.binary_search(&place) {
            self.first.remove(found);
            self.length = self.length.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(second: i64) -> Place {
        (DateTime::from_timestamp(second, 0).unwrap(), InstanceId::from_bytes(&[1; 12]).unwrap(), 1)
    }

    #[test]
    fn who_is_ahead_is_a_matter_of_age_also_for_those_of_another_line() {
        let mut line = Line { first: vec![place(10), place(20)], is_longer: true, length: 7 };
        let ahead = |line: &Line| [5, 10, 15, 20, 25].map(|second| line.ahead(place(second)));
        assert_eq!(ahead(&line), [0, 0, 1, 1, 7]);
        line.join(place(15));
        line.join(place(15));
        line.join(place(30));
        assert_eq!((line.first.len(), line.length), (3, 9), "whoever is behind the first is only counted");
        line.leave(place(10));
        line.leave(place(11));
        assert_eq!(ahead(&line), [0, 0, 0, 1, 8]);
        let mut short = Line::default();
        short.join(place(2));
        short.join(place(1));
        assert_eq!([0, 1, 2, 3].map(|second| short.ahead(place(second))), [0, 0, 1, 2]);
    }
}
