//! Dead rows leave the queue as it turns over. A claim makes new entries in the queue's indexes and each path leaves in the
//! end, so that the pages of both fill as fast as jobs are claimed, until a vacuum empties them for the next. PostgreSQL's
//! own looks once a minute, as it comes.

use std::time::Duration;

use trunkline_store::pace::Pace;
use trunkline_store::upkeep::{QueueTable, Vacuum};
use trunkline_store::{Store, StoreError};

use super::LIMIT;
use super::election::{Election, NOT_ELECTED};
use crate::lease::{Backoff, Lease, within};

/// Dead rows that are worth a vacuum.
const DEAD: i64 = 10_000;
/// A table that is worth being made shorter.
const LONG_BYTES: i64 = 128 << 10;
/// Between two looks, while something changes and while nothing does.
const BUSY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(2);
/// The longest rest: while somebody holds an old snapshot, a vacuum reads all that is dead and removes nothing.
const LONGEST: Duration = Duration::from_secs(60);

/// A vacuum takes as long as it takes: `patient` waits for it.
pub(super) async fn run(store: &Store, patient: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut election = Election::new(store, lease, "vacuum_queue");
    let mut watch = Watch::default();
    loop {
        match look(store, patient, &mut election, &mut watch).await {
            Ok(wait) => {
                pause = Backoff::default();
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                election.forget();
                pause.report(&error, "cannot vacuum the queue; trying again");
                pause.wait().await;
            }
        }
    }
}

/// Answers how long it is until the next look.
async fn look(
    store: &Store,
    patient: &Store,
    election: &mut Election<'_>,
    watch: &mut Watch,
) -> Result<Duration, StoreError> {
    if !within(LIMIT, election.is_won()).await? {
        return Ok(NOT_ELECTED);
    }
    let table = within(LIMIT, store.look_at_queue()).await?;
    let wait = if watch.is_quiet(&table) { IDLE } else { BUSY };
    let needed = watch.needed(&table);
    if !table.is_ours && watch.before.as_ref().is_none_or(|before| before.is_ours) {
        tracing::warn!("the table `jobs` is another role's: its dead rows are left to autovacuum");
    }
    watch.before = Some(table);
    if let Some(vacuum) = needed {
        watch.carry_out(vacuum, patient).await?;
    }
    Ok(wait)
}

struct Watch {
    before: Option<QueueTable>,
    /// Writes when it was made shorter. What lives at its end keeps it long, and will until something is written.
    shortened: Option<i64>,
    clearing: Pace,
    shortening: Pace,
}

impl Default for Watch {
    fn default() -> Self {
        let pace = || Pace::new(BUSY, LONGEST);
        Self { before: None, shortened: None, clearing: pace(), shortening: pace() }
    }
}

impl Watch {
    fn is_quiet(&self, now: &QueueTable) -> bool {
        self.before.as_ref().is_some_and(|before| before.writes == now.writes)
    }

    fn needed(&mut self, now: &QueueTable) -> Option<Vacuum> {
        if !now.is_ours || now.is_being_vacuumed {
            return None;
        }
        let may_be_shorter = now.bytes >= LONG_BYTES && (now.dead > 0 || self.shortened != Some(now.writes));
        if may_be_shorter && self.is_quiet(now) && self.shortening.is_due() {
            self.shortened = Some(now.writes);
            return Some(Vacuum::Shorten);
        }
        (now.dead >= DEAD && self.clearing.is_due()).then_some(Vacuum::Clear)
    }

    /// Whoever leaves before it is over leaves a task, not a connection in the midst of its statement.
    async fn carry_out(&mut self, vacuum: Vacuum, store: &Store) -> Result<(), StoreError> {
        let pace = match vacuum {
            Vacuum::Clear => &mut self.clearing,
            Vacuum::Shorten => &mut self.shortening,
        };
        let begun = pace.begin();
        let store = store.clone();
        let vacuuming = tokio::spawn(async move { store.vacuum_queue(vacuum).await });
        let vacuumed = vacuuming.await.unwrap_or(Ok(()));
        pace.looked(begun);
        vacuumed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(watch: &mut Watch, now: QueueTable) -> Option<Vacuum> {
        let needed = watch.needed(&now);
        watch.before = Some(now);
        needed
    }

    #[test]
    fn it_is_cleared_of_what_is_dead_and_made_shorter_once_it_is_quiet() {
        let mut watch = Watch::default();
        let mut needed = |writes, dead, bytes| {
            see(&mut watch, QueueTable { writes, dead, bytes, is_ours: true, is_being_vacuumed: false })
        };
        assert_eq!(needed(20_000, DEAD - 1, LONG_BYTES), None, "it may be in use");
        assert_eq!(needed(30_000, DEAD, LONG_BYTES), Some(Vacuum::Clear));
        assert_eq!(needed(30_000, 5, LONG_BYTES - 1), None);
        assert_eq!(needed(30_000, 5, LONG_BYTES), Some(Vacuum::Shorten));
        assert_eq!(needed(30_000, 5, LONG_BYTES), Some(Vacuum::Shorten), "somebody's snapshot kept them");
        assert_eq!(needed(30_000, 0, LONG_BYTES), None, "what lives at its end stays there");
        assert_eq!(needed(30_001, 1, LONG_BYTES), None, "it is in use");
        assert_eq!(needed(30_001, 0, LONG_BYTES), Some(Vacuum::Shorten));
    }

    #[test]
    fn what_is_anothers_or_is_being_vacuumed_is_left_alone() {
        let mut watch = Watch::default();
        for (is_ours, is_being_vacuumed) in [(false, false), (true, true)] {
            for _ in 0..2 {
                let table =
                    QueueTable { writes: 1, dead: DEAD, bytes: LONG_BYTES, is_ours, is_being_vacuumed };
                assert_eq!(see(&mut watch, table), None);
            }
        }
    }
}
