//! Gauges are brought up to date when somebody looks, at most every few seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use trunkline_store::measure::{Measured, PoolUse};
use trunkline_store::{Store, StoreError};
use trunkline_telemetry::{Metric, declared, gauge};

/// How old an answer may be: whoever asks more often gets the same one.
const TRUST: Duration = Duration::from_secs(5);
/// A database that does not answer must not keep the other numbers back.
const LIMIT: Duration = Duration::from_secs(3);

/// Cheap to clone; clones share what was seen.
#[derive(Clone)]
pub(super) struct Gauges {
    pub(super) store: Store,
    scope: Scope,
    seen: Arc<Mutex<Option<Seen>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Installation,
    Process,
}

struct Seen {
    at: Instant,
    /// `None`: the database did not answer.
    measured: Option<Arc<Measured>>,
}

impl Gauges {
    pub(super) fn of_installation(store: Store) -> Self {
        Self { store, scope: Scope::Installation, seen: Arc::default() }
    }

    pub(super) fn of_process(store: Store) -> Self {
        Self { store, scope: Scope::Process, seen: Arc::default() }
    }

    /// The installation as it was a moment ago; `None`: the database did not answer, or not in time.
    pub(super) async fn look(&self) -> Option<Arc<Measured>> {
        let mut seen = self.seen.lock().await;
        if let Some(seen) = &*seen
            && seen.at.elapsed() < TRUST
        {
            return seen.measured.clone();
        }
        let measured = self.answered(self.store.measure()).await.map(Arc::new);
        set_installation(measured.as_deref());
        *seen = Some(Seen { at: Instant::now(), measured: measured.clone() });
        measured
    }

    pub(super) async fn bring_up_to_date(&self) {
        let installation = async {
            if self.scope == Scope::Installation {
                self.look().await;
            }
        };
        let (waited, ()) = tokio::join!(self.answered(self.store.wait_for_connection()), installation);
        set(&declared::DATABASE_UP, [], if waited.is_some() { 1.0 } else { 0.0 });
        set(&declared::POOL_WAIT, [], waited.unwrap_or(LIMIT).as_secs_f64());
        let PoolUse { limit, idle, in_use } = self.store.pool_use();
        set(&declared::POOL_LIMIT, [], limit.into());
        set(&declared::POOL_CONNECTIONS, ["idle"], idle.into());
        set(&declared::POOL_CONNECTIONS, ["in_use"], in_use.into());
    }

    async fn answered<T>(&self, look: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        match tokio::time::timeout(LIMIT, look).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the database cannot be measured");
                None
            }
            Err(_) => None,
        }
    }
}

/// What is not known is no number: an alert on it does not fire, and none stays as it was.
fn set_installation(measured: Option<&Measured>) {
    let Some(Measured { queue, fleet, tables }) = measured else {
        return set_unknown();
    };
    set(&declared::QUEUE_JOBS, ["ready"], number(queue.ready));
    set(&declared::QUEUE_JOBS, ["leased"], number(queue.leased));
    set(&declared::QUEUE_JOBS, ["held"], number(queue.held));
    set(&declared::QUEUE_JOBS, ["behind"], number(queue.behind));
    set(&declared::QUEUE_OLDEST, [], queue.oldest_ready);
    set(&declared::DUE_WAITS, [], number(queue.due_waits));
    set(&declared::DUE_WAITS_OLDEST, [], queue.oldest_due_wait);
    set(&declared::CALLBACKS_PENDING, [], number(queue.callbacks));
    set(&declared::CALLBACKS_OLDEST, [], queue.oldest_callback);
    set(&declared::OLDEST_TRANSACTION, [], queue.oldest_transaction);
    set(&declared::WORKERS, ["live"], number(fleet.live));
    set(&declared::WORKERS, ["draining"], number(fleet.draining));
    set(&declared::WORKERS, ["silent"], number(fleet.silent));
    set(&declared::FLEET_SLOTS, [], number(fleet.slots));
    set(&declared::FLEET_BUSY_SLOTS, [], number(fleet.busy));
    for table in tables {
        set(&declared::TABLE_ROWS, [&table.name, "live"], number(table.live));
        set(&declared::TABLE_ROWS, [&table.name, "dead"], number(table.dead));
        set(&declared::TABLE_BYTES, [&table.name], number(table.bytes));
    }
}

fn set_unknown() {
    let ages = [
        &declared::QUEUE_OLDEST,
        &declared::DUE_WAITS,
        &declared::DUE_WAITS_OLDEST,
        &declared::CALLBACKS_PENDING,
        &declared::CALLBACKS_OLDEST,
        &declared::OLDEST_TRANSACTION,
        &declared::FLEET_SLOTS,
        &declared::FLEET_BUSY_SLOTS,
    ];
    for metric in ages {
        set(metric, [], f64::NAN);
    }
    for state in ["ready", "leased", "held", "behind"] {
        set(&declared::QUEUE_JOBS, [state], f64::NAN);
    }
    for state in ["live", "draining", "silent"] {
        set(&declared::WORKERS, [state], f64::NAN);
    }
}

fn set<const N: usize>(metric: &Metric, labels: [&str; N], value: f64) {
    gauge(metric, labels).set(value);
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
fn number(count: i64) -> f64 {
    count as f64
}
