//! The pool of connections that reads and small writes go through.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sqlx::pool::{Pool, PoolOptions};
use sqlx::postgres::{PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Describe, Either, Error, Execute, Executor, Postgres, SqlStr};

use super::connection::{Answers, all_at_once, first_row};
use super::patience::{PATIENCE, each_within, within};
use super::route::check;
use super::taken::Taken;
use super::{PgConnection, Route, Sessions, Transaction};

/// How long a connection is waited for.
pub(super) const ACQUIRE: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);
/// A connection that answered so short a time ago is taken as it is.
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// What another one must answer within, so that there is time left to connect anew.
pub(super) const PING: Duration = Duration::from_secs(2);

/// When a connection was last found dead: those that have been idle since before are given up with it. To ask each of them
/// takes its time where nothing is answered, and whoever needs one has them one after the other.
#[derive(Clone, Debug, Default)]
struct Doubts(Arc<Mutex<Option<Instant>>>);

impl Doubts {
    fn arise(&self) {
        *self.0.lock().expect("nobody panics with it") = Some(Instant::now());
    }

    fn arose_within(&self, time: Duration) -> bool {
        self.0.lock().expect("nobody panics with it").is_some_and(|last| last.elapsed() <= time)
    }
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct PgPool {
    inner: Pool<Postgres>,
    route: Arc<Route>,
    /// Set once it is known how to connect.
    sessions: Arc<OnceLock<Sessions>>,
    patience: Duration,
}

impl PgPool {
    /// Nothing is connected yet.
    pub(crate) fn new(route: Arc<Route>, connections: u32) -> Self {
        let sessions = Arc::new(OnceLock::new());
        let found = sessions.clone();
        let doubts = Doubts::default();
        let doubted = doubts.clone();
        let inner = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .after_connect(move |connection, _| {
                let sessions = *found.get().expect("nothing is asked of the pool before it is set");
                check(connection, sessions)
            })
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                let doubted = doubted.clone();
                Box::pin(async move {
                    if doubted.arose_within(metadata.idle_for) {
                        return Ok(false);
                    }
                    let is_alive = metadata.idle_for < FRESH || within(PING, connection.ping()).await.is_ok();
                    if !is_alive {
                        doubted.arise();
                    }
                    Ok(is_alive)
                })
            })
            // It comes back when its last statement is done; whoever left in the middle may have been right.
            .after_release(move |connection, _| {
                let doubts = doubts.clone();
                Box::pin(async move {
                    let answer = within(ACQUIRE, connection.ping()).await;
                    if answer.is_err() {
                        doubts.arise();
                    }
                    answer.map(|()| true)
                })
            })
            .connect_lazy_with(route.options(Sessions::Own));
        Self { inner, route, sessions, patience: PATIENCE }
    }

    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Nobody gets a connection before it is known what may be said over it.
    pub(crate) async fn sessions(&self) -> Result<Sessions, Error> {
        if let Some(sessions) = self.sessions.get() {
            return Ok(*sessions);
        }
        let sessions = Box::pin(self.find_patiently()).await?;
        self.inner.set_connect_options(self.route.options(sessions));
        Ok(*self.sessions.get_or_init(|| sessions))
    }

    /// As the driver's pool has patience with a database that is about to start.
    async fn find_patiently(&self) -> Result<Sessions, Error> {
        let begun = Instant::now();
        loop {
            let error = match self.route.sessions().await {
                Ok(sessions) => return Ok(sessions),
                Err(error) => error,
            };
            let may_pass = match &error {
                Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
                Error::Database(error) => error.is_transient_in_connect_phase(),
                _ => false,
            };
            if !may_pass || self.is_closed() {
                return Err(error);
            }
            if begun.elapsed() > ACQUIRE {
                return Err(Error::PoolTimedOut);
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// The driver's own pool, whose statements go as they are.
    pub(crate) async fn driver(&self) -> Result<&Pool<Postgres>, Error> {
        self.sessions().await?;
        Ok(&self.inner)
    }

    pub async fn begin(&self) -> Result<Transaction<'static>, Error> {
        self.begin_with("begin").await
    }

    /// In a task of its own: whoever asks may be dropped at any moment, a request's handler by a client that leaves.
    /// A connection whose `begin` was sent and not yet answered would go back to the pool as if it were in no
    /// transaction, and what is written by it from then on would never be committed.
    pub async fn begin_with(&self, statement: &'static str) -> Result<Transaction<'static>, Error> {
        let sessions = self.sessions().await?;
        let (pool, patience) = (self.inner.clone(), self.patience);
        let begun = tokio::spawn(async move { within(patience, pool.begin_with(statement)).await });
        let transaction = begun.await.expect("it does not panic and nobody aborts it")?;
        Ok(Transaction::of_pool(transaction, sessions, patience))
    }

    pub fn options(&self) -> &PoolOptions<Postgres> {
        self.inner.options()
    }

    pub fn size(&self) -> u32 {
        self.inner.size()
    }

    pub fn num_idle(&self) -> usize {
        self.inner.num_idle()
    }

    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    pub async fn close(&self) {
        self.inner.close().await;
    }

    /// Whether its connections are among those of the route, and not a pooler's.
    pub(crate) fn goes_by(&self, route: &Arc<Route>) -> bool {
        Arc::ptr_eq(&self.route, route)
    }

    /// The pool goes through all connections that it ever opened, one after the other, so that none is idle for long and
    /// it never becomes smaller by itself.
    pub(crate) fn give_up_idle(&self) {
        while let Some(mut connection) = self.inner.try_acquire() {
            connection.close_on_drop();
        }
    }

    /// A connection on the same way that is not one of its own.
    pub(super) async fn connect_beside(&self) -> Result<PgConnection, Error> {
        self.route.connect_kept().await
    }

    /// Until somebody closes it.
    pub(crate) async fn closed(&self) {
        self.inner.close_event().await;
    }

    /// Whether statements go as they are, by what is known until now.
    fn is_plain(&self) -> bool {
        matches!(self.sessions.get(), Some(Sessions::Own | Sessions::Lent { names: true }))
    }

    fn at_once<'e, 'q: 'e, E: Execute<'q, Postgres> + 'q>(
        &self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>> {
        each_within(self.patience, self.inner.fetch_many(query))
    }

    /// Without a name it is safe in a transaction only, unless the session is ours.
    async fn send(&self, query: Result<Taken, Error>) -> Result<Answers, Error> {
        let query = query?;
        if self.sessions().await? == Sessions::Own || query.is_text() {
            return self.at_once(query).try_collect().await;
        }
        let mut transaction = self.begin().await?;
        let answers = transaction.fetch_many(query).try_collect().await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

impl<'p> Executor<'p> for &'_ PgPool {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.is_plain() {
            return self.at_once(query);
        }
        let (pool, query) = (self.clone(), Taken::unnamed(query));
        all_at_once(async move { pool.send(query).await })
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.is_plain() {
            return Box::pin(within(self.patience, self.inner.fetch_optional(query)));
        }
        first_row(self.fetch_many(query))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.driver().await?.prepare_with(sql, parameters).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.driver().await?.describe(sql).await })
    }
}
