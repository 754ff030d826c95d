//! Dead rows leave the queue as it turns over. A claim makes new entries in the queue's indexes and each path leaves in the
//! end, so that the pages of both fill as fast as jobs are claimed, until a vacuum empties them for the next. PostgreSQL's
//! own looks once a minute, as it comes. Every worker sees to the jobs that it claimed; when two vacuum at the same time,
//! one has nothing to do.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::pace::Pace;

use super::LIMIT;
use crate::lease::{Backoff, within};
use crate::slots::Slots;

/// Jobs claimed from one vacuum to the next.
const EVERY: u64 = 10_000;
/// After so many, one more follows once nothing has been claimed for some looks: the only one that makes the table shorter.
const BURST: u64 = 1_000;
const LOOK: Duration = Duration::from_millis(200);
const QUIET: u32 = 10;
/// The longest rest: while somebody holds an old snapshot, a vacuum reads all that is dead and removes nothing.
const LONGEST: Duration = Duration::from_secs(60);

pub(super) async fn run(store: &Store, slots: &Slots) {
    let mut pause = Backoff::default();
    let mut pace = Pace::new(LOOK, LONGEST);
    let (mut taken, mut cleared, mut shortened, mut quiet) = (0, 0, 0, 0_u32);
    loop {
        tokio::time::sleep(LOOK).await;
        let before = std::mem::replace(&mut taken, slots.taken());
        quiet = if taken == before { quiet.saturating_add(1) } else { 0 };
        let is_over = quiet >= QUIET && taken - shortened >= BURST;
        let is_due = taken - cleared >= EVERY && pace.is_due();
        if !is_over && !is_due {
            continue;
        }
        let begun = pace.begin();
        match within(LIMIT, store.vacuum_queue(is_over)).await {
            Ok(()) => {
                pause = Backoff::default();
                pace.looked(begun);
                cleared = taken;
                if is_over {
                    shortened = taken;
                    // What it waited for was nothing that a vacuum under load waits for.
                    pace.hurry();
                }
            }
            Err(error) => {
                pause.report(&error, "cannot vacuum the queue; trying again");
                pause.wait().await;
            }
        }
    }
}
