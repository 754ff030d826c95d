//! The handle to one database.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Postgres, Transaction};

use crate::StoreError;
use crate::sealing::{MasterKeys, PlainTexts};
use crate::starts::Starter;
use crate::wake::{self, Wake};

/// A connection outside the pool.
pub type HotConnection = PgConnection;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    options: PgConnectOptions,
    pub(crate) starter: Starter,
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
        let options = PgConnectOptions::from_str(url)?
            .application_name("trunkline")
            .log_statements(tracing::log::LevelFilter::Off);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options.clone());
        let wake = Wake::new(pool.clone(), wake::JOBS);
        let callback_wake = Wake::new(pool.clone(), wake::CALLBACKS);
        let starter = Starter::new(pool.clone(), wake.clone());
        Ok(Self { pool, options, starter, keys: None, checked: Arc::default(), wake, callback_wake })
    }

    /// A connection of its own, outside the pool: for a worker's statements that run all day.
    ///
    /// Their plans must not depend on statistics taken at a quiet moment, so table scans are off: a claim
    /// or completion always goes through an index.
    pub async fn hot_connection(&self) -> Result<PgConnection, StoreError> {
        let options = self.options.clone().application_name("trunkline-worker").options([
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("plan_cache_mode", "force_generic_plan"),
            ("jit", "off"),
        ]);
        Ok(PgConnection::connect_with(&options).await?)
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.begin_with("begin").await
    }

    /// In a task of its own: whoever asks may be dropped at any moment, a request's handler by a client that leaves.
    /// A connection whose `begin` was sent and not yet answered would go back to the pool as if it were in no
    /// transaction, and what is written by it from then on would never be committed.
    pub(crate) async fn begin_with(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await });
        Ok(begun.await.expect("it does not panic and nobody aborts it")?)
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
        self.pool.close().await;
    }
}
