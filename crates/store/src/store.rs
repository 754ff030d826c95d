//! The handle to one database.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::StoreError;
use crate::connect::{BEGIN, Kept, PgConnection, PgPool, Route, Sessions, Transaction};
use crate::definitions::find_newest::Finder;
use crate::jobs::{Leases, leases};
use crate::sealing::{MasterKeys, PlainTexts};
use crate::starts::Starter;
use crate::wake::{self, Wake};

/// A connection outside the pool.
pub type HotConnection = PgConnection;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    /// Where connections outside the pool lead: past a pooler, if there is a way.
    pub(crate) direct: Arc<Route>,
    kept: Kept,
    pub(crate) starter: Starter,
    pub(crate) finder: Finder,
    pub(crate) leases: Leases,
    pub(crate) keys: Option<MasterKeys>,
    /// Set once the keys were found to be this database's.
    pub(crate) checked: Arc<OnceLock<PlainTexts>>,
    pub(crate) wake: Wake,
    pub(crate) callback_wake: Wake,
}

impl Store {
    /// Opens a pool of at most `connections`; nothing is connected yet, so a database that is down is no
    /// error here. `url` is a `postgres://` URL.
    pub fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        let direct = Arc::new(Route::new(read(url)?));
        let pool = PgPool::new(direct.clone(), connections);
        let kept = Kept::new(pool.clone());
        let sender = Uuid::new_v4();
        let wake = Wake::new(pool.clone(), kept.clone(), wake::JOBS, sender);
        let callback_wake = Wake::new(pool.clone(), kept.clone(), wake::CALLBACKS, sender);
        let starter = Starter::new(&pool, &kept, &wake);
        let finder = Finder::new(pool.clone(), kept.clone());
        let leases = leases(pool.clone());
        Ok(Self {
            pool,
            direct,
            kept,
            starter,
            finder,
            leases,
            keys: None,
            checked: Arc::default(),
            wake,
            callback_wake,
        })
    }

    /// Where `url` of [`Store::open`] leads to a pooler, this one leads to PostgreSQL itself: for what needs a session,
    /// or is better with one.
    #[must_use = "it is another store"]
    pub fn with_direct(self, url: &str) -> Result<Self, StoreError> {
        Ok(Self { direct: Arc::new(Route::new(read(url)?)), ..self })
    }

    /// Waits so long for each of PostgreSQL's answers instead of a minute. What looks through everything that is stored
    /// needs more, and what somebody else can do as well less.
    #[must_use = "it is another store"]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { pool: self.pool.with_patience(patience), ..self }
    }

    /// A connection of its own, outside the pool: for a worker's statements that run all day. Where the database has none
    /// left, the pool gives up those that it does not use: what a worker has to write is more urgent.
    pub async fn hot_connection(&self) -> Result<HotConnection, StoreError> {
        let connected = self.direct.connect_hot().await;
        if connected.as_ref().is_err_and(is_full) && self.pool.goes_by(&self.direct) {
            self.pool.give_up_idle();
            self.kept.give_up();
        }
        Ok(connected?)
    }

    /// Whose the sessions are that the pool's statements run in.
    pub async fn sessions(&self) -> Result<Sessions, StoreError> {
        Ok(self.pool.sessions().await?)
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static>, StoreError> {
        self.begin_with(BEGIN).await
    }

    pub(crate) async fn begin_with(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static>, StoreError> {
        Ok(self.pool.begin_with(statement).await?)
    }

    /// For statements of tests and benchmarks that are nobody else's business.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The hint that jobs are there to be claimed.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// The hint that callbacks are there to be made.
    pub fn callback_wake(&self) -> &Wake {
        &self.callback_wake
    }

    /// Whether the database answers and has every migration; and whether the store's master keys, if it has
    /// any, are this database's.
    pub async fn check_ready(&self) -> Result<(), StoreError> {
        crate::migrations::check(&self.pool).await?;
        match &self.keys {
            Some(_) => self.check_master_key().await,
            None => Ok(()),
        }
    }

    pub async fn server_version(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("show server_version").fetch_one(&self.pool).await?)
    }

    pub async fn close(&self) {
        self.kept.close();
        self.pool.close().await;
    }
}

fn read(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)?;
    Ok(options.application_name("trunkline").log_statements(tracing::log::LevelFilter::Off))
}

/// `too_many_connections`
fn is_full(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("53300"))
}
