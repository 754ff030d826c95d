//! Claims jobs while there is room and somebody may have something.
//!
//! ```text
//!            ┌────────── full batch: there may be more ──────────┐
//!            ▼                                                   │
//!   wait for room ──► claim up to the free slots ──► hand over ──┤
//!            ▲                                                   │ less than asked: the queue is empty
//!            └── wait for a hint, at most a poll interval ◄──────┘
//! ```
//!
//! A claim or a completion whose answer was lost may have leased jobs to us that we know nothing of, and its
//! transaction may commit long after we stopped listening. So every few seconds the claimer says which
//! instances are in its hands; whatever else is leased to us goes back to the queue. Only the claimer may say
//! that, because between its claims nothing new is on its way to its hands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use trunkline_store::jobs::{self, LeasedJob, LowWaterMark};
use trunkline_store::{HotConnection, Store, StoreError};

use crate::lease::{Backoff, Lease, within};
use crate::measure::MEASURES;
use crate::queue::Held;
use crate::settings::Settings;
use crate::slots::Slots;

/// Jobs claimed in one statement at most: a larger batch costs little less per job.
const BATCH: usize = 128;
/// Under load, slots become free one by one; a claim waits this long for a batch of them to gather.
const GATHER: Duration = Duration::from_millis(2);
/// Empty claims in a row after which a worker counts as idle.
const IDLE_AFTER: u32 = 10;
/// Between two looks for jobs that we hold without knowing.
const BETWEEN_RELEASES: Duration = Duration::from_secs(3);
/// A claim that takes longer has an unknown fate.
const CLAIM_LIMIT: Duration = Duration::from_secs(15);

pub(crate) struct Claimer {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) slots: Slots,
    pub(crate) jobs: mpsc::UnboundedSender<Held>,
    pub(crate) draining: watch::Receiver<bool>,
}

impl Claimer {
    /// Claims under one lease until it is lost or the worker drains. Only the pauses are cut short, never
    /// a statement: what it claims must reach us.
    pub(crate) async fn run(&self, lease: &Arc<Lease>) {
        let mut connection: Option<HotConnection> = None;
        let mut mark = LowWaterMark::default();
        let mut pause = Backoff::default();
        let mut empty_claims = 0_u32;
        let mut released_at = Instant::now();
        loop {
            let Some(limit) = self.unless_over(lease, self.room()).await else { return };
            let claim = self.claim(lease, &mut connection, limit, &mut mark, &mut released_at);
            match within(CLAIM_LIMIT, claim).await {
                Ok(claimed) => {
                    pause = Backoff::default();
                    empty_claims = if claimed == 0 { empty_claims.saturating_add(1) } else { 0 };
                    if claimed < limit && self.unless_over(lease, self.idle(empty_claims)).await.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    MEASURES.claims_failed.increment(1);
                    connection = None;
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

    async fn claim(
        &self,
        lease: &Arc<Lease>,
        connection: &mut Option<HotConnection>,
        limit: usize,
        mark: &mut LowWaterMark,
        released_at: &mut Instant,
    ) -> Result<usize, StoreError> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.store.hot_connection().await?),
        };
        if released_at.elapsed() > BETWEEN_RELEASES {
            let released = jobs::release_others(connection, lease.incarnation, &self.slots.in_use()).await?;
            if released > 0 {
                tracing::warn!(jobs = released, "gave back jobs whose claim or completion was not answered");
            }
            *released_at = Instant::now();
        }
        let begun = Instant::now();
        let claimed = jobs::claim(connection, lease.incarnation, limit, mark).await?;
        let count = claimed.len();
        measure(&claimed, begun);
        for job in claimed {
            let slot = Arc::new(self.slots.take(job.instance));
            let context = context(&job);
            let held = Held { job: Arc::new(job), context, lease: lease.clone(), streak: 0, slot };
            if self.jobs.send(held).is_err() {
                // Nobody executes any more; the worker is about to end.
                return Ok(0);
            }
        }
        Ok(count)
    }

    /// Until there are free slots, a batch of them if that does not take long.
    async fn room(&self) -> usize {
        while self.slots.free() == 0 {
            self.slots.freed().await;
        }
        if self.slots.free() < BATCH.min(self.settings.slots) {
            tokio::time::sleep(GATHER).await;
        }
        self.slots.free().clamp(1, BATCH)
    }

    /// The queue was empty a moment ago. The longer it is, the less often an idle worker looks; a hint
    /// brings it back at once.
    async fn idle(&self, empty_claims: u32) {
        let interval = if empty_claims > IDLE_AFTER {
            self.settings.poll_interval * 2
        } else {
            self.settings.poll_interval
        };
        let _ = tokio::time::timeout(interval, self.store.wake().hinted()).await;
    }
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

/// The context as the claim brought it. The error is what the step faults with: a context that cannot be read
/// must never be replaced by an empty one.
fn context(job: &LeasedJob) -> Result<Arc<Map<String, Value>>, String> {
    let data = job.data.as_deref().unwrap_or_default();
    serde_json::from_str(data)
        .map(Arc::new)
        .map_err(|error| format!("The workflow context cannot be read: {error}"))
}
