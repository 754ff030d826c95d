//! How many workers there should be.

use trunkline_store::measure::{Fleet, Queue};

/// Of the slots, so that a burst finds some free.
const TARGET: f64 = 0.7;
/// Jobs that have been ready for longer than this do not get by with the workers that are there.
const PATIENCE: f64 = 5.0;

/// Slots in use, of all slots; 0 without workers.
#[expect(clippy::cast_precision_loss, reason = "slots are counted in thousands")]
pub(super) fn saturation(fleet: &Fleet) -> f64 {
    if fleet.slots == 0 { 0.0 } else { fleet.busy as f64 / fleet.slots as f64 }
}

/// As many as bring the saturation to its target, one at least; while jobs wait, twice as many as there are. An
/// upper limit is for whoever follows: a database that is the bottleneck is not helped by more workers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "workers are counted in hundreds"
)]
pub(super) fn suggest_workers(queue: &Queue, fleet: &Fleet) -> i64 {
    let for_target = (fleet.live as f64 * saturation(fleet) / TARGET).ceil() as i64;
    let for_backlog = if oldest_runnable(queue) > PATIENCE { fleet.live * 2 } else { 0 };
    for_target.max(for_backlog).max(1)
}

/// Seconds; what is due and was not released yet could run as well.
pub(super) fn oldest_runnable(queue: &Queue) -> f64 {
    queue.oldest_ready.max(queue.oldest_due_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggestion_follows_saturation_and_backlog() {
        for (live, slots, busy, oldest, suggested) in [
            (0, 0, 0, 0.0, 1),
            (0, 0, 0, 60.0, 1),
            (4, 400, 0, 0.0, 1),
            (4, 400, 280, 0.0, 4),
            (4, 400, 281, 0.0, 5),
            (4, 400, 400, 4.9, 6),
            (4, 400, 400, 5.1, 8),
            (4, 400, 100, 5.1, 8),
            (1, 100, 100, 3600.0, 2),
        ] {
            let queue = Queue { oldest_ready: oldest, ..Queue::default() };
            let fleet = Fleet { live, slots, busy, ..Fleet::default() };
            assert_eq!(suggest_workers(&queue, &fleet), suggested, "{live} {slots} {busy} {oldest}");
            let due = Queue { oldest_due_wait: oldest, ..Queue::default() };
            assert_eq!(suggest_workers(&due, &fleet), suggested, "due, {live} {slots} {busy} {oldest}");
        }
    }
}
