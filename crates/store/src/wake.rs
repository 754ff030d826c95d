//! The hint that there is something to claim, jobs or callbacks: outside every step transaction, coalesced, and
//! never needed for correctness (polling is the truth).
//!
//! ```text
//! commit ──► Wake::hint() ──► workers of this process, at once
//!                       └───► NOTIFY to the others, at most one per 20 ms
//! ```

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;

use crate::connect::{PgPool, Sessions, within};
use crate::{Store, StoreError};

/// The channels workers listen on.
pub(crate) const JOBS: &str = "trunkline_jobs";
pub(crate) const CALLBACKS: &str = "trunkline_callbacks";

/// At most one NOTIFY per process in this time; the first goes out at once.
const WINDOW: Duration = Duration::from_millis(20);

/// After so long without a hint the listening connection is asked for an answer.
const SILENCE: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Wake {
    local: Arc<Notify>,
    outbox: Arc<Notify>,
}

impl Wake {
    pub(crate) fn new(pool: PgPool, channel: &'static str) -> Self {
        let wake = Self { local: Arc::new(Notify::new()), outbox: Arc::new(Notify::new()) };
        let outbox = Arc::downgrade(&wake.outbox);
        tokio::spawn(async move {
            while let Some(hinted) = outbox.upgrade() {
                // A missed hint costs one polling interval, so an outage needs no handling here.
                let due = tokio::time::timeout(Duration::from_secs(1), hinted.notified()).await.is_ok();
                drop(hinted);
                if due {
                    let _ = notify(&pool, channel).await;
                    tokio::time::sleep(WINDOW).await;
                }
            }
        });
        wake
    }

    /// Some became ready.
    pub fn hint(&self) {
        self.local.notify_waiters();
        self.local.notify_one();
        self.outbox.notify_one();
    }

    /// Only this process's workers: what another process told us must not be told back.
    pub fn hint_locally(&self) {
        self.local.notify_waiters();
        self.local.notify_one();
    }

    /// Until the next hint; one that came since the last call counts.
    pub async fn hinted(&self) {
        self.local.notified().await;
    }
}

impl Store {
    /// Whether hints of other processes come, as far as is known.
    pub fn hears_others(&self) -> bool {
        self.direct.known().is_none_or(|sessions| sessions == Sessions::Own)
    }

    /// Passes the hints of other processes on to this one's workers until the connection ends. A session that is
    /// lent cannot be listened on: nothing comes then, and polling does the work.
    pub async fn listen(&self) -> Result<(), StoreError> {
        let sessions = self.direct.sessions().await?;
        if sessions != Sessions::Own {
            self.pool.closed().await;
            return Ok(());
        }
        let alone = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER)
            .connect_lazy_with(self.direct.options(sessions));
        let mut listener = PgListener::connect_with(&alone).await?;
        listener.eager_reconnect(false);
        within(ANSWER, listener.listen_all([JOBS, CALLBACKS])).await?;
        loop {
            tokio::select! {
                () = self.pool.closed() => return Ok(()),
                // Silence may be that of a connection which is dead.
                () = tokio::time::sleep(SILENCE) => {
                    within(ANSWER, (&mut listener).execute("select")).await?;
                }
                hint = listener.try_recv() => {
                    let Some(hint) = hint? else { return Ok(()) };
                    let wake = if hint.channel() == CALLBACKS { &self.callback_wake } else { &self.wake };
                    wake.hint_locally();
                }
            }
        }
    }
}

/// The commit of a NOTIFY has nothing that must survive a crash, so it waits for no disk. Statements of one message are
/// one transaction without our saying so; one that was begun would be left open if the server refuses the hint, as
/// one does that is not promoted yet, and the connection would be of no use to anybody from then on.
async fn notify(pool: &PgPool, channel: &'static str) -> Result<(), sqlx::Error> {
    let statements = format!("set local synchronous_commit = off; notify {channel}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(pool).await?;
    Ok(())
}
