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
//! A claim whose answer was lost may have leased jobs that nobody knows of. The next thing said over a new
//! connection is therefore which ones we do hold; the rest goes back to the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use trunkline_store::jobs::{self, LeasedJob, LowWaterMark};
use trunkline_store::{HotConnection, Store, StoreError};

use crate::lease::{Backoff, Lease};
use crate::queue::Held;
use crate::settings::Settings;
use crate::slots::Slots;

/// Jobs claimed in one statement at most: a larger batch costs little less per job.
const BATCH: usize = 128;
/// Under load, slots become free one by one; a claim waits this long for a batch of them to gather.
const GATHER: Duration = Duration::from_millis(2);
/// Empty claims in a row after which a worker counts as idle.
const IDLE_AFTER: u32 = 10;

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
        loop {
            let Some(limit) = self.unless_over(lease, self.room()).await else { return };
            match self.claim(lease, &mut connection, limit, &mut mark).await {
                Ok(claimed) => {
                    pause = Backoff::default();
                    empty_claims = if claimed == 0 { empty_claims.saturating_add(1) } else { 0 };
                    if claimed < limit && self.unless_over(lease, self.idle(empty_claims)).await.is_none() {
                        return;
                    }
                }
                Err(error) => {
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
    ) -> Result<usize, StoreError> {
        let connection = if let Some(connection) = connection {
            connection
        } else {
            let mut fresh = self.store.hot_connection().await?;
            jobs::release_others(&mut fresh, lease.incarnation, &self.slots.in_use()).await?;
            connection.insert(fresh)
        };
        let claimed = jobs::claim(connection, lease.incarnation, limit, mark).await?;
        let count = claimed.len();
        for job in claimed {
            let slot = Arc::new(self.slots.take(job.instance));
            let context = Arc::new(context(&job));
            let held = Held { job: Arc::new(job), context, lease: lease.clone(), streak: 0, slot };
            // The receiver goes away only after the claimer.
            let _ = self.jobs.send(held);
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

pub(crate) fn context(job: &LeasedJob) -> Map<String, Value> {
    job.data.as_deref().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
}
