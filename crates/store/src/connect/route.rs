//! Where a URL leads, and whether there is a pooler on the way.
//!
//! PostgreSQL takes settings in the message that opens a connection. A pooler that lends sessions refuses them, or is
//! told to ignore them (`ignore_startup_parameters`); either way they do not arrive. So a setting of our own is sent
//! along and asked for: nothing has to be configured, and nothing depends on which session happens to be lent.

use std::time::Instant;

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgConnection as Driver};
use sqlx::{Connection as _, Error, Row as _};
use tokio::sync::OnceCell;

use super::patience::within;
use super::pool::ACQUIRE;
use super::{IDLE_LIMIT, PgConnection};
use crate::clock;

/// Whose the sessions behind a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// Each connection has one of PostgreSQL's to itself.
    Own,
    /// A pooler lends them, a transaction at a time.
    Lent {
        /// It keeps every client's prepared statements apart, so that they may have names.
        names: bool,
    },
}

/// For statements that run all day: their plans must not depend on statistics taken at a quiet moment,
/// so table scans are off, and a claim or completion always goes through an index.
const HOT: [(&str, &str); 5] = [
    IDLE_LIMIT,
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];
/// The same for a session that is lent, and for a transaction of the pool that goes over much: a plan that was made while
/// a week's partition was empty would read all of it once it is full.
pub(crate) const BEGIN_HOT: &str = "begin; set local enable_seqscan = off; set local enable_bitmapscan = off;
    set local plan_cache_mode = force_generic_plan; set local jit = off;
    set local idle_in_transaction_session_timeout = '5s'";

const MARK: (&str, &str) = ("trunkline.session", "own");

#[derive(Debug)]
pub(crate) struct Route {
    options: PgConnectOptions,
    sessions: OnceCell<Sessions>,
}

impl Route {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        // The driver's own wish that poolers know nothing of, and PostgreSQL needs no more.
        Self { options: options.extra_float_digits(None), sessions: OnceCell::new() }
    }

    /// If that was found out already.
    pub(crate) fn known(&self) -> Option<Sessions> {
        self.sessions.get().copied()
    }

    pub(crate) async fn sessions(&self) -> Result<Sessions, Error> {
        within(ACQUIRE, Box::pin(self.sessions.get_or_try_init(|| self.find()))).await.copied()
    }

    async fn find(&self) -> Result<Sessions, Error> {
        match Driver::connect_with(&self.marked()).await {
            Ok(mut connection) => {
                let sessions = if is_own(&mut connection).await? {
                    Sessions::Own
                } else {
                    Sessions::Lent { names: keeps_names(&mut connection).await? }
                };
                let _ = connection.close().await;
                Ok(sessions)
            }
            Err(error) if is_refused(&error) => {
                let mut connection = Driver::connect_with(&self.options).await?;
                let sessions = Sessions::Lent { names: keeps_names(&mut connection).await? };
                let _ = connection.close().await;
                Ok(sessions)
            }
            Err(error) => Err(error),
        }
    }

    fn marked(&self) -> PgConnectOptions {
        self.options.clone().options([MARK])
    }

    /// How a pool connects.
    pub(crate) fn options(&self, sessions: Sessions) -> PgConnectOptions {
        match sessions {
            Sessions::Own => self.marked(),
            Sessions::Lent { .. } => self.options.clone(),
        }
    }

    /// A connection outside the pool, for a worker's statements.
    pub(crate) async fn connect_hot(&self) -> Result<PgConnection, Error> {
        let sessions = self.sessions().await?;
        open_hot(self.options(sessions).application_name("trunkline-worker"), sessions).await
    }

    /// The same for what callers ask all the time: to plan a start takes PostgreSQL longer than to carry it out.
    pub(super) async fn connect_kept(&self) -> Result<PgConnection, Error> {
        let sessions = self.sessions().await?;
        open_hot(self.options(sessions), sessions).await
    }

    /// A connection outside the pool, for statements as they come.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Error> {
        let sessions = self.sessions().await?;
        Ok(PgConnection::plain(open(&self.options(sessions), sessions).await?, sessions))
    }
}

async fn open_hot(options: PgConnectOptions, sessions: Sessions) -> Result<PgConnection, Error> {
    let options = if sessions == Sessions::Own { options.options(HOT) } else { options };
    Ok(PgConnection::hot(open(&options, sessions).await?, sessions))
}

/// Whoever accepts a connection may be gone before it answers.
async fn open(options: &PgConnectOptions, sessions: Sessions) -> Result<Driver, Error> {
    let opening = Box::pin(async {
        let mut connection = Driver::connect_with(options).await?;
        check(&mut connection, sessions).await?;
        Ok(connection)
    });
    within(ACQUIRE, opening).await
}

/// Whether a new connection is of the kind that this process counts on. If not, the database came behind a pooler
/// since, or behind another one, and statements could be mixed up.
pub(super) fn check(connection: &mut Driver, sessions: Sessions) -> BoxFuture<'_, Result<(), Error>> {
    Box::pin(async move {
        let as_found = match sessions {
            Sessions::Own => is_own(connection).await?,
            Sessions::Lent { names: true } => keeps_names(connection).await?,
            Sessions::Lent { names: false } => true,
        };
        if as_found { Ok(()) } else { Err(Error::Protocol(CHANGED.to_owned())) }
    })
}

const CHANGED: &str =
    "a pooler is in front of the database, or another one than when this process started: restart it";

/// What is sent as text is safe everywhere.
async fn is_own(connection: &mut Driver) -> Result<bool, Error> {
    let begun = Instant::now();
    let asked = sqlx::raw_sql(
        "select current_setting('trunkline.session', true),
             (extract(epoch from clock_timestamp()) * 1000000)::bigint",
    )
    .fetch_one(connection)
    .await?;
    clock::hear(asked.try_get(1)?, begun);
    Ok(asked.try_get::<Option<&str>, _>(0)?.is_some_and(|mark| mark == MARK.1))
}

/// The first statement that the driver prepares on a connection is `sqlx_s_1` to it. A pooler that keeps statements
/// apart calls it otherwise on its way to PostgreSQL.
async fn keeps_names(connection: &mut Driver) -> Result<bool, Error> {
    let mut transaction = connection.begin().await?;
    let begun = Instant::now();
    let asked = sqlx::query_as(
        "select exists (select from pg_prepared_statements where name = 'sqlx_s_1'),
             (extract(epoch from clock_timestamp()) * 1000000)::bigint",
    )
    .fetch_one(&mut *transaction)
    .await;
    let keeps = match asked {
        Ok((is_called_so, time)) => {
            let is_called_so: bool = is_called_so;
            clock::hear(time, begun);
            // In the same transaction, so that nothing of ours is left in a session that is lent to others.
            transaction.clear_cached_statements().await?;
            !is_called_so
        }
        // Somebody else's has that name.
        Err(Error::Database(error)) if error.code().as_deref() == Some("42P05") => false,
        Err(error) => return Err(error),
    };
    transaction.rollback().await?;
    Ok(keeps)
}

/// PostgreSQL itself does not refuse the mark. What it refuses connections for is said by itself.
fn is_refused(error: &Error) -> bool {
    let Error::Database(error) = error else { return false };
    let of_postgres = ["28", "3D", "53", "57"];
    error.code().is_some_and(|code| !of_postgres.iter().any(|class| code.starts_with(class)))
}
