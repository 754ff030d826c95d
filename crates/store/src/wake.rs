//! The hint that there is something to claim, jobs or callbacks: outside every step transaction, coalesced, and
//! never needed for correctness (polling is the truth).
//!
//! ```text
//! commit ──► Wake::hint() ──► workers of this process, at once
//!                       └───► NOTIFY to the others, at most one per 20 ms
//! ```
//!
//! A NOTIFY says who sent it, so that nobody claims once more because of what he said himself.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::connect::{Kept, PgPool, Sessions, within};
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
    sender: Uuid,
    local: Arc<Notify>,
    outbox: Arc<Notify>,
}

impl Wake {
    /// `sender` is told apart from all others by it.
    pub(crate) fn new(pool: PgPool, kept: Kept, channel: &'static str, sender: Uuid) -> Self {
        let wake = Self { sender, local: Arc::new(Notify::new()), outbox: Arc::new(Notify::new()) };
        let outbox = Arc::downgrade(&wake.outbox);
        tokio::spawn(async move {
            while let Some(hinted) = outbox.upgrade() {
                // A missed hint costs one polling interval, so an outage needs no handling here.
                let due = tokio::time::timeout(Duration::from_secs(1), hinted.notified()).await.is_ok();
                drop(hinted);
                if due {
                    let _ = notify(&pool, &kept, channel, sender).await;
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

    /// A hint that came by NOTIFY. Those of older versions do not say who sent them.
    fn hear(&self, sender: &str) {
        if sender != self.sender.to_string() {
            self.hint_locally();
        }
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
                    wake.hear(hint.payload());
                }
            }
        }
    }
}

/// The commit of a NOTIFY has nothing that must survive a crash, so it waits for no disk. Statements of one message are
/// one transaction without our saying so; one that was begun would be left open if the server refuses the hint, as
/// one does that is not promoted yet, and the connection would be of no use to anybody from then on.
async fn notify(pool: &PgPool, kept: &Kept, channel: &str, sender: Uuid) -> Result<(), sqlx::Error> {
    let statements = format!("set local synchronous_commit = off; notify {channel}, '{sender}'");
    let statements = sqlx::raw_sql(sqlx::AssertSqlSafe(statements));
    match kept.take().await {
        Some(mut connection) => {
            let said = within(ANSWER, statements.execute(&mut *connection)).await;
            if said.is_ok() || said.as_ref().is_err_and(is_standby) {
                kept.give_back(connection);
            } else {
                kept.give_up();
            }
            said?;
        }
        None => {
            statements.execute(pool).await?;
        }
    }
    Ok(())
}

/// A server that is not promoted yet: it refuses hints, and takes everything else.
fn is_standby(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("25006"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::Route;

    #[tokio::test]
    async fn nobody_is_woken_by_what_he_said_himself() {
        let pool = PgPool::new(Arc::new(Route::new("postgres://nobody@127.0.0.1:1/".parse().unwrap())), 1);
        let wake = Wake::new(pool.clone(), Kept::new(pool), JOBS, Uuid::new_v4());
        wake.hear(&wake.sender.to_string());
        assert!(futures::poll!(Box::pin(wake.hinted())).is_pending());
        for another in ["", &Uuid::new_v4().to_string()] {
            wake.hear(another);
            assert!(futures::poll!(Box::pin(wake.hinted())).is_ready(), "{another}");
        }
    }
}
