//! One connection, and transactions on it.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::postgres::{PgConnection as Driver, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection as _, Describe, Either, Error, Execute, Executor, Postgres, SqlStr};

use super::Sessions;
use super::patience::{each_within, within};
use super::pool::PING;
use super::route::BEGIN_HOT;
use super::taken::Taken;

/// A connection to PostgreSQL, maybe through a pooler.
#[derive(Debug)]
pub struct PgConnection {
    inner: Inner,
    sessions: Sessions,
    /// What a transaction begins with.
    begin: &'static str,
    transaction: State,
    /// How long each answer is waited for. Whoever has a connection outside the pool looks at the clock by himself.
    patience: Duration,
}

#[derive(Debug)]
enum Inner {
    Own(Driver),
    Begun(sqlx::Transaction<'static, Postgres>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    None,
    Begun,
    /// Somebody left in the middle of it: it is rolled back before the next statement.
    Left,
}

/// How a statement is sent.
enum Manner {
    AsItIs,
    Unnamed,
    /// After the end of a transaction that was left, or in one of its own.
    Around,
}

pub(super) type Answers = Vec<Either<PgQueryResult, PgRow>>;

impl PgConnection {
    pub(super) fn hot(connection: Driver, sessions: Sessions) -> Self {
        let begin = if sessions == Sessions::Own { "begin" } else { BEGIN_HOT };
        Self { begin, ..Self::plain(connection, sessions) }
    }

    pub(super) fn plain(connection: Driver, sessions: Sessions) -> Self {
        let inner = Inner::Own(connection);
        Self { inner, sessions, begin: "begin", transaction: State::None, patience: Duration::MAX }
    }

    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        if self.transaction == State::Begun {
            return Err(Error::InvalidSavePointStatement);
        }
        self.leave().await?;
        self.transaction = State::Left;
        let begin = self.begin;
        self.driver().execute(begin).await?;
        self.transaction = State::Begun;
        Ok(Transaction(Held::Lent(Lent(self))))
    }

    /// Rolls back what was left.
    async fn leave(&mut self) -> Result<(), Error> {
        if self.transaction == State::Left {
            self.driver().execute("rollback").await?;
            self.transaction = State::None;
        }
        Ok(())
    }

    /// Whether it answers, soon. For one that has not been used for a while: it may have died without a word. That of a
    /// pooler may have to wait for a session, so it is not asked.
    pub async fn answers(&mut self) -> bool {
        self.sessions != Sessions::Own || within(PING, self.ping()).await.is_ok()
    }

    pub(super) async fn ping(&mut self) -> Result<(), Error> {
        self.driver().ping().await
    }

    pub async fn close(self) -> Result<(), Error> {
        match self.inner {
            Inner::Own(connection) => connection.close().await,
            Inner::Begun(transaction) => within(self.patience, transaction.rollback()).await,
        }
    }

    fn driver(&mut self) -> &mut Driver {
        match &mut self.inner {
            Inner::Own(connection) => connection,
            Inner::Begun(transaction) => transaction,
        }
    }

    fn manner(&self) -> Manner {
        match (self.transaction, self.sessions) {
            (State::Left, _) | (State::None, Sessions::Lent { .. }) => Manner::Around,
            (State::Begun, Sessions::Lent { names: false }) => Manner::Unnamed,
            (State::None | State::Begun, _) => Manner::AsItIs,
        }
    }

    fn at_once<'e, 'q: 'e, E: Execute<'q, Postgres> + 'q>(
        &'e mut self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>> {
        let patience = self.patience;
        let answers = self.driver().fetch_many(query);
        if patience == Duration::MAX { answers } else { each_within(patience, answers) }
    }

    async fn send(&mut self, query: Taken) -> Result<Answers, Error> {
        self.leave().await?;
        if self.sessions == Sessions::Own || query.is_text() {
            return self.driver().fetch_many(query).try_collect().await;
        }
        let mut transaction = self.begin().await?;
        let answers = transaction.driver().fetch_many(query).try_collect().await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

impl<'c> Executor<'c> for &'c mut PgConnection {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.manner() {
            Manner::AsItIs => self.at_once(query),
            Manner::Unnamed => match Taken::unnamed(query) {
                Ok(query) => self.at_once(query),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            },
            Manner::Around => {
                let query = match self.sessions {
                    Sessions::Lent { names: false } => Taken::unnamed(query),
                    Sessions::Own | Sessions::Lent { names: true } => Taken::named(query),
                };
                all_at_once(async move { self.send(query?).await })
            }
        }
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        match self.manner() {
            Manner::AsItIs if self.patience == Duration::MAX => self.driver().fetch_optional(query),
            Manner::AsItIs => Box::pin(within(self.patience, self.driver().fetch_optional(query))),
            Manner::Unnamed | Manner::Around => first_row(self.fetch_many(query)),
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.driver().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        self.driver().describe(sql)
    }
}

pub(super) fn all_at_once<'e>(
    answers: impl Future<Output = Result<Answers, Error>> + Send + 'e,
) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>> {
    stream::once(answers).map_ok(|answers| stream::iter(answers).map(Ok)).try_flatten().boxed()
}

pub(super) fn first_row(
    mut answers: BoxStream<'_, Result<Either<PgQueryResult, PgRow>, Error>>,
) -> BoxFuture<'_, Result<Option<PgRow>, Error>> {
    Box::pin(async move {
        let mut first = None;
        while let Some(answer) = answers.try_next().await? {
            if let Either::Right(row) = answer {
                first.get_or_insert(row);
            }
        }
        Ok(first)
    })
}

/// Rolled back unless it is committed.
#[derive(Debug)]
pub struct Transaction<'c>(Held<'c>);

#[derive(Debug)]
enum Held<'c> {
    /// One of the pool's.
    Own(PgConnection),
    Lent(Lent<'c>),
}

#[derive(Debug)]
struct Lent<'c>(&'c mut PgConnection);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if self.0.transaction == State::Begun {
            self.0.transaction = State::Left;
        }
    }
}

impl Transaction<'static> {
    pub(super) fn of_pool(
        transaction: sqlx::Transaction<'static, Postgres>,
        sessions: Sessions,
        patience: Duration,
    ) -> Self {
        let inner = Inner::Begun(transaction);
        let transaction = State::Begun;
        Self(Held::Own(PgConnection { inner, sessions, begin: "begin", transaction, patience }))
    }
}

impl Transaction<'_> {
    pub async fn commit(self) -> Result<(), Error> {
        match self.0 {
            Held::Own(PgConnection { inner: Inner::Begun(transaction), patience, .. }) => {
                within(patience, transaction.commit()).await
            }
            Held::Own(_) => unreachable!("one of the pool's has begun"),
            Held::Lent(lent) => lent.end("commit").await,
        }
    }

    pub async fn rollback(self) -> Result<(), Error> {
        match self.0 {
            Held::Own(connection) => connection.close().await,
            Held::Lent(lent) => lent.end("rollback").await,
        }
    }
}

impl Lent<'_> {
    async fn end(self, statement: &'static str) -> Result<(), Error> {
        self.0.driver().execute(statement).await?;
        self.0.transaction = State::None;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Held::Own(connection) => connection,
            Held::Lent(lent) => lent.0,
        }
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.0 {
            Held::Own(connection) => connection,
            Held::Lent(lent) => lent.0,
        }
    }
}
