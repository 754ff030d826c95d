//! Claims jobs while there is room and somebody may have something.
//!
//! ```text
//!            ┌────────────── there may be more ──────────────────────┐
//!            ▼                                                       │
//!   wait for room ──► claim what the turns say ([`crate::turns`]) ───┤
//!            ▲                                                       │ nobody has anything
//!            └── wait for a hint, at most a poll interval ◄──────────┘
//! ```
//!
//! A claim or a completion whose answer was lost may have leased jobs to us that we know nothing of, and its
//! transaction may commit long after we stopped listening. So every few seconds, or less often where an old snapshot
//! makes that dear, the claimer says which instances are in its hands; whatever else is leased to us goes back to the
//! queue. Only the claimer may say that, because between its claims nothing new is on its way to its hands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use trunkline_store::jobs::{self, LeasedJob, LowWaterMark};
use trunkline_store::pace::Pace;
use trunkline_store::pools::{Accounts, Steps};
use trunkline_store::{HotConnection, Store, StoreError};

use crate::contexts::Context;
use crate::definitions::{Definitions, Found};
use crate::lease::{Backoff, Lease, within};
use crate::measure::MEASURES;
use crate::queue::Held;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::turns::{LOOK, Most, Next, Turns};

/// Under load, slots become free one by one; a claim waits this long for a batch of them to gather.
const GATHER: Duration = Duration::from_millis(2);
/// Empty claims in a row after which a worker counts as idle.
const IDLE_AFTER: u32 = 10;
/// Between two looks for jobs that we hold without knowing; ten times that, where a look takes long.
const BETWEEN_RELEASES: Duration = Duration::from_secs(3);
/// Jobs sorted by type in one statement, and statements in one look.
const SORT: usize = 1_000;
const SORTS: usize = 4;
/// A claim that takes longer has an unknown fate.
const CLAIM_LIMIT: Duration = Duration::from_secs(15);

pub(crate) struct Claimer {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) slots: Slots,
    pub(crate) definitions: Definitions,
    pub(crate) jobs: mpsc::UnboundedSender<Held>,
    pub(crate) draining: watch::Receiver<bool>,
}

/// What the next claim needs to know.
struct Life {
    lease: Arc<Lease>,
    connection: Option<HotConnection>,
    turns: Turns,
    /// Of a worker that takes only some types of steps: their names, turned with each claim, and from where on nobody
    /// has told the types of what is ready.
    types: Vec<&'static str>,
    unsorted: LowWaterMark,
    /// How often it is seen to what we hold without knowing, and to whether we are alone.
    releases: Pace,
    neighbours: Pace,
}

impl Claimer {
    /// Claims under one lease until it is lost or the worker drains. Only the pauses are cut short, never
    /// a statement: what it claims must reach us.
    pub(crate) async fn run(&self, lease: &Arc<Lease>) {
        let most = Most { slots: self.settings.slots, per_account: self.settings.slots_per_account };
        let mut releases = Pace::new(BETWEEN_RELEASES, BETWEEN_RELEASES * 10);
        releases.looked(Instant::now());
        let mut life = Life {
            lease: lease.clone(),
            connection: None,
            turns: Turns::new(most, self.settings.accounts.clone(), &self.settings.steps),
            types: match self.settings.steps {
                Steps::All => Vec::new(),
                _ => self.settings.steps.names(),
            },
            unsorted: LowWaterMark::default(),
            releases,
            neighbours: Pace::new(BETWEEN_RELEASES, BETWEEN_RELEASES),
        };
        let mut pause = Backoff::default();
        let mut empty_claims = 0_u32;
        loop {
            let Some(next) = self.unless_over(lease, self.room(&mut life.turns)).await else { return };
            match within(CLAIM_LIMIT, self.claim(&mut life, next)).await {
                Ok(Claimed { jobs, may_be_more }) => {
                    pause = Backoff::default();
                    empty_claims = if jobs == 0 { empty_claims.saturating_add(1) } else { 0 };
                    if may_be_more {
                        continue;
                    }
                    let is_somebody_waiting = life.turns.is_anybody_waiting();
                    let idle = self.idle(empty_claims, is_somebody_waiting);
                    if self.unless_over(lease, idle).await.is_none() {
                        return;
                    }
                    life.turns.waited();
                }
                Err(error) => {
                    MEASURES.claims_failed.increment(1);
                    life.connection = None;
                    life.releases.hurry();
                    pause.report(&error, "cannot claim jobs; trying again");
                    if self.unless_over(lease, pause.wait()).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    async fn unless_over<T>(&self, lease: &Lease, waiting: impl Future<Output = T>) -> Option<T> {
        let mut draining = self.draining.clone();
        tokio::select! {
            biased;
            () = lease.until_lost() => None,
            _ = draining.wait_for(|draining| *draining) => None,
            value = waiting => Some(value),
        }
    }

    /// One claim, with the looks that come before it.
    async fn claim(&self, life: &mut Life, mut next: Next) -> Result<Claimed, StoreError> {
        let Life { lease, connection, turns, types, unsorted, releases, neighbours } = life;
        let is_new = connection.is_none();
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.store.hot_connection().await?),
        };
        if releases.is_due() {
            let begun = releases.begin();
            let released = jobs::release_others(connection, lease.incarnation, &self.slots.in_use()).await?;
            if released > 0 {
                tracing::warn!(jobs = released, "gave back jobs whose claim or completion was not answered");
            }
            releases.looked(begun);
        }
        if (neighbours.is_due() || is_new) && turns.wonders_who_is_there() {
            neighbours.begin();
            turns.be_told(jobs::is_only_account(connection).await?);
        }
        while next == Next::Look {
            let begun = Instant::now();
            let is_sorted = types.is_empty() || self.sort(connection, types, unsorted).await?;
            let found = match (turns.look(), types.is_empty()) {
                ((Accounts::Only(_), _, asked), true) => jobs::find_waiting_among(connection, &asked).await?,
                ((Accounts::Only(_), _, asked), false) => {
                    jobs::find_waiting_of_steps_among(connection, types, &asked).await?
                }
                ((_, after, passed), true) => jobs::find_waiting(connection, after, &passed, LOOK).await?,
                ((_, after, passed), false) => {
                    jobs::find_waiting_of_steps(connection, types, after, &passed, LOOK).await?
                }
            };
            turns.looked(found, begun.elapsed());
            next = self.next(turns);
            if !is_sorted && next.jobs() == 0 {
                turns.waited();
                return Ok(Claimed { jobs: 0, may_be_more: true });
            }
        }
        let begun = Instant::now();
        let claimed = match &next {
            Next::Any(limit) => {
                let mark = turns.mark_of_anybody();
                let claimed = jobs::claim(connection, lease.incarnation, *limit, mark).await?;
                turns.learn(*limit, &claimed);
                claimed
            }
            Next::Shares(shares) => {
                let mut marked = turns.with_marks(shares);
                let claimed = if types.is_empty() {
                    jobs::claim_shares(connection, lease.incarnation, &mut marked).await?
                } else {
                    types.rotate_left(1);
                    jobs::claim_shares_of_steps(connection, lease.incarnation, types, &mut marked).await?
                };
                turns.learn_shares(shares, &claimed);
                claimed
            }
            Next::Look | Next::Nothing => return Ok(Claimed { jobs: 0, may_be_more: false }),
        };
        let count = claimed.len();
        measure(&claimed, begun);
        for job in claimed {
            let slot = Arc::new(self.slots.take(job.instance, &job.account));
            let context = Context::of_claimed(&job);
            let held =
                Held { job: Arc::new(job), context, lease: lease.clone(), since: begun, streak: 0, slot };
            if self.jobs.send(held).is_err() {
                // Nobody executes any more; the worker is about to end.
                return Ok(Claimed { jobs: 0, may_be_more: false });
            }
        }
        let was_asked_for_by_name = matches!(next, Next::Shares(_));
        Ok(Claimed { jobs: count, may_be_more: was_asked_for_by_name || count >= next.jobs() })
    }

    /// Tells the types of ready jobs, a few thousand at most. Answers whether there are no others.
    async fn sort(
        &self,
        connection: &mut HotConnection,
        types: &[&str],
        mark: &mut LowWaterMark,
    ) -> Result<bool, StoreError> {
        for _ in 0..SORTS {
            let found = jobs::find_unsorted(connection, SORT, mark).await?;
            let are_all = found.len() < SORT;
            let mut sorted = Vec::with_capacity(found.len());
            for job in found {
                let version =
                    self.definitions.get(&self.store, &job.account, job.definition, job.version).await?;
                let step_type = match &version {
                    Found::Compiled(compiled) => compiled.graph.steps.get(job.step),
                    Found::Gone | Found::Sealed => None,
                };
                let step_type = step_type.map_or(Steps::UNKNOWN, |step| step.step_type.name());
                sorted.push((job, step_type));
            }
            if !sorted.is_empty() {
                jobs::sort(connection, &sorted).await?;
            }
            if sorted.iter().any(|(_, step_type)| !types.contains(step_type)) {
                // Others may have looked for it before they could find it.
                self.store.wake().hint();
            }
            if are_all {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Until there are free slots, a batch of them if that does not take long; then what to do with them.
    async fn room(&self, turns: &mut Turns) -> Next {
        while self.slots.free() == 0 {
            self.slots.freed().await;
        }
        let next = self.next(turns);
        let jobs = next.jobs();
        if jobs == 0 || jobs >= turns.batch() {
            return next;
        }
        tokio::time::sleep(GATHER).await;
        self.next(turns)
    }

    fn next(&self, turns: &mut Turns) -> Next {
        let free = self.slots.free();
        let next = self.slots.of_accounts(|held| turns.next(free, held));
        self.slots.tell_whether_accounts_wait(turns.is_anybody_waiting());
        next
    }

    /// Nobody had anything a moment ago. The longer it is so, the less often an idle worker looks; a hint brings it
    /// back at once, and so does a freed slot when somebody waits who holds as many as it may.
    async fn idle(&self, empty_claims: u32, is_somebody_waiting: bool) {
        let interval = if empty_claims > IDLE_AFTER {
            self.settings.poll_interval * 2
        } else {
            self.settings.poll_interval
        };
        let sign = async {
            tokio::select! {
                () = self.store.wake().hinted() => {}
                () = self.slots.freed(), if is_somebody_waiting => {}
            }
        };
        let _ = tokio::time::timeout(interval, sign).await;
    }
}

struct Claimed {
    jobs: usize,
    may_be_more: bool,
}

fn measure(claimed: &[LeasedJob], begun: Instant) {
    MEASURES.claim_seconds.record(begun.elapsed());
    if claimed.is_empty() {
        MEASURES.claims_empty.increment(1);
        return;
    }
    MEASURES.claims_with_jobs.increment(1);
    MEASURES.claim_jobs.record(u32::try_from(claimed.len()).unwrap_or(u32::MAX));
    for job in claimed {
        MEASURES.job_wait.record(job.waited);
    }
}
