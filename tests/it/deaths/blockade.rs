//! A transaction that stands in the way of workers, so that they can be met at an exact point of their work.

use sqlx::AssertSqlSafe;
use trunkline_store::{Store, Transaction};

use crate::support::until;

/// Words of the statement that completes steps; the server shows only the beginning of what it is asked.
pub const COMPLETION: &str = "as next_n";

pub struct Blockade {
    transaction: Transaction<'static>,
    store: Store,
}

impl Blockade {
    /// What the statement locks stays locked.
    pub async fn of(store: &Store, statement: &str) -> Self {
        let mut transaction = store.pool().begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *transaction).await.unwrap();
        Self { transaction, store: store.clone() }
    }

    /// Makes it possible to stand before a table. A lock of the table itself would meet statements before they are
    /// even read, and their sender would have to live for them to be done.
    pub async fn prepare(store: &Store, table: &str) {
        let statements = format!(
            "create or replace function let_through() returns trigger language plpgsql as
                 'begin perform pg_advisory_xact_lock_shared(hashtext(tg_argv[0])); return null; end';
             create trigger let_through
             before insert or update on {table}
             for each statement execute function let_through('{table}')"
        );
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(store.pool()).await.unwrap();
    }

    /// Nobody writes to the table.
    pub async fn of_table(store: &Store, table: &str) -> Self {
        Self::of(store, &format!("select pg_advisory_xact_lock(hashtext('{table}'))")).await
    }

    /// Until somebody waits in a statement with these words.
    pub async fn meets(&self, words: &str) {
        let waiting = || async {
            sqlx::query_scalar::<_, bool>(
                "select exists (
                     select from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'
                         and position($1 in query) > 0
                 )",
            )
            .bind(words)
            .fetch_one(self.store.pool())
            .await
            .unwrap()
        };
        until(&format!("somebody waits in `{words}`"), || async { waiting().await }).await;
    }

    /// What is waited for now is never done: the request of somebody who is dead got lost. Otherwise the database
    /// does what it was asked before it notices who is gone.
    pub async fn cut_off(&self) {
        sqlx::query(
            "select pg_terminate_backend(pid, 5000)
             from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .execute(self.store.pool())
        .await
        .unwrap();
    }

    pub async fn lift(self) {
        self.transaction.rollback().await.unwrap();
    }
}
