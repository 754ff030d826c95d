//! The worker's lease: renewed on its own timer and its own connection, never behind a claim or a
//! completion.
//!
//! A worker that cannot renew goes on computing, but starts no side effect once two thirds of its lease have
//! passed by its own monotonic clock: when all of it has, somebody else may be doing the same step already. When
//! the database is back it either renews (nobody noticed) or learns that it was declared lost, drops what it holds
//! and begins a new life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use trunkline_store::workers::{self, Incarnation, Renewal};
use trunkline_store::{HotConnection, Store, StoreError};

use crate::measure::MEASURES;
use crate::settings::Settings;

/// One life of this worker.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) incarnation: Incarnation,
    length: Duration,
    epoch: Instant,
    /// Milliseconds after `epoch` at which the last successful renewal was begun.
    renewed: AtomicU64,
    lost: AtomicBool,
    /// Of the worker, through all its lives: it was told by its name to take nothing more.
    draining: Arc<AtomicBool>,
    changed: watch::Sender<()>,
}

/// The incarnation is no longer believed.
#[derive(Debug, thiserror::Error)]
#[error("the worker lost its lease")]
pub(crate) struct Lost;

impl Lease {
    /// Registers, trying until it works or `stop` says otherwise.
    pub(crate) async fn begin(store: &Store, settings: &Settings, draining: &Arc<AtomicBool>) -> Arc<Self> {
        let mut pause = Backoff::default();
        loop {
            let epoch = Instant::now();
            let registering = register(store, settings, draining.load(Ordering::Acquire));
            match within(settings.lease, registering).await {
                Ok(incarnation) => {
                    tracing::info!(
                        worker.id = incarnation.0,
                        worker.name = settings.name,
                        "worker registered"
                    );
                    return Arc::new(Self {
                        incarnation,
                        length: settings.lease,
                        epoch,
                        renewed: AtomicU64::new(0),
                        lost: AtomicBool::new(false),
                        draining: draining.clone(),
                        changed: watch::Sender::new(()),
                    });
                }
                Err(error) => {
                    pause.report(&error, "cannot register the worker; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// Keeps the lease until it is lost. Ends then, or never.
    pub(crate) async fn keep(self: Arc<Self>, store: Store) {
        let mut connection = None;
        let mut pause = Backoff::default();
        loop {
            let begun = Instant::now();
            match self.renew_in_time(&store, &mut connection).await {
                Ok(Renewal::Renewed { draining }) => {
                    self.be_told(draining);
                    let since = u64::try_from((begun - self.epoch).as_millis()).unwrap_or(u64::MAX);
                    self.renewed.store(since, Ordering::Release);
                    self.changed.send_replace(());
                    pause = Backoff::default();
                    tokio::time::sleep(self.length / 3).await;
                }
                Ok(Renewal::Lost) => {
                    MEASURES.leases_lost.increment(1);
                    tracing::warn!(
                        worker.id = self.incarnation.0,
                        "the worker was declared lost; it begins anew"
                    );
                    self.lost.store(true, Ordering::Release);
                    self.changed.send_replace(());
                    return;
                }
                Err(error) => {
                    connection = None;
                    pause.report(&error, "cannot renew the lease; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    fn be_told(&self, draining: bool) {
        if self.draining.swap(draining, Ordering::AcqRel) == draining {
            return;
        }
        if draining {
            tracing::info!("told to drain: the worker takes no more jobs and finishes what it holds");
        } else {
            tracing::info!("told to go on: the worker takes jobs again");
        }
    }

    async fn renew(
        &self,
        store: &Store,
        connection: &mut Option<HotConnection>,
    ) -> Result<Renewal, StoreError> {
        if connection.is_none() {
            *connection = Some(store.hot_connection().await?);
        }
        let connection = connection.as_mut().expect("connected just above");
        workers::renew(connection, self.incarnation, self.length).await
    }

    /// A connection may be dead without a word; a renewal that takes too long is none.
    async fn renew_in_time(
        &self,
        store: &Store,
        connection: &mut Option<HotConnection>,
    ) -> Result<Renewal, StoreError> {
        within(self.length / 3, self.renew(store, connection)).await
    }

    /// Its claims find nothing then, by themselves; its paths are left to others.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether a side effect may begin.
    pub(crate) fn holds(&self) -> bool {
        let renewed = self.epoch + Duration::from_millis(self.renewed.load(Ordering::Acquire));
        !self.is_lost() && certainly_holds(renewed.elapsed(), self.length)
    }

    /// Waits until a side effect may begin: at once while the lease certainly holds.
    pub(crate) async fn hold(&self) -> Result<(), Lost> {
        let mut changed = self.changed.subscribe();
        loop {
            if self.is_lost() {
                return Err(Lost);
            }
            if self.holds() {
                return Ok(());
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// Until the incarnation is declared lost.
    pub(crate) async fn until_lost(&self) {
        let mut changed = self.changed.subscribe();
        while !self.is_lost() {
            let _ = changed.changed().await;
        }
    }
}

/// Whether nobody else can have been given the jobs of a lease that was renewed so long ago, nor will before a request
/// that begins now is on its way: for that a third is left. The database counts from later than we do.
pub(crate) fn certainly_holds(since_renewal: Duration, length: Duration) -> bool {
    since_renewal < length * 2 / 3
}

/// What takes longer has an unknown fate.
pub(crate) async fn within<T>(
    limit: Duration,
    statement: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, statement).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::NoAnswer),
    }
}

async fn register(store: &Store, settings: &Settings, draining: bool) -> Result<Incarnation, StoreError> {
    let mut connection = store.hot_connection().await?;
    let version = env!("CARGO_PKG_VERSION");
    let worker = (settings.name.as_str(), settings.slots, version);
    let pool = (&settings.accounts, &settings.steps);
    workers::register_in_pool(&mut connection, worker, settings.lease, draining, pool).await
}

/// Pauses between attempts to reach the database: 50 ms to 2 s, each shortened at random so that workers
/// do not come back in step. Said once per outage, not once per attempt.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    pub(crate) fn report(&self, error: &StoreError, what: &str) {
        if self.attempts == 0 {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(error = %error, cause, "{what}");
        }
    }

    pub(crate) async fn wait(&mut self) {
        let longest = Duration::from_millis(50 << self.attempts.min(6)).min(Duration::from_secs(2));
        self.attempts += 1;
        tokio::time::sleep(longest.mul_f64(rand::random_range(0.5..1.0))).await;
    }
}
