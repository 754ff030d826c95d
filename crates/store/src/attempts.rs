//! What attempts did, written down with what became of them. Most have nothing to tell, and cost nothing here.

use std::time::Duration;

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::transitions::Completion;
use crate::workers::{Incarnation, micros};
use crate::{PgConnection, StoreError};

/// What the history is told of an attempt. Whatever must not be kept is out of it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub outcome: AttemptOutcome,
    pub took: Duration,
    pub error: Option<String>,
    /// Under which receipts come.
    pub message_id: Option<String>,
    /// Inputs, exchanges and outputs, as JSON text.
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    Completed,
    /// For an event or a time.
    Waiting,
    /// To be tried again.
    Retried,
    /// Likewise, and it does not count.
    Postponed,
    Failed,
    /// Its worker died or was stopped: nobody knows what it did.
    Interrupted,
}

impl AttemptOutcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Waiting => "waiting",
            Self::Retried => "retried",
            Self::Postponed => "postponed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The columns of those completions that tell something; `$1` is the worker, what follows is bound from `$first` on.
macro_rules! insert {
    ($columns:literal, $from:literal) => {
        concat!(
            "insert into attempts (instance_id, n, attempt, step, worker, outcome, started_at, error, message_id,
                 detail)
             select a.instance_id, a.n, a.attempt, a.step, (select name from workers where id = $1), a.outcome,
                 now() - a.took * interval '1 microsecond', a.error, a.message_id, a.detail
             from unnest(",
            $columns,
            ") as a (instance_id, n, attempt, step, outcome, took, error, message_id, detail)",
            $from
        )
    };
}

/// One more part of the statement that completes jobs: of those that its condition let through.
pub(crate) const OF_WON: &str = insert!(
    "$45::bytea[], $46::int[], $47::int[], $48::int[], $49::text[], $50::bigint[], $51::text[], $52::text[],
     $53::text[]",
    " where (select won from every) or a.instance_id in (select instance_id from won)"
);

const ALONE: &str = insert!(
    "$2::bytea[], $3::int[], $4::int[], $5::int[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[]",
    ""
);

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// Binds the columns, in the order in which both statements have them.
pub(crate) fn bind<'q>(statement: Statement<'q>, completions: &[&Completion]) -> Statement<'q> {
    let told: Vec<(&Completion, &Attempt)> = completions
        .iter()
        .filter_map(|completion| Some((*completion, completion.attempt.as_deref()?)))
        .collect();
    let step = |completion: &Completion| i32::try_from(completion.job.path.step).unwrap_or(i32::MAX);
    statement
        .bind(told.iter().map(|(c, _)| &c.job.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(told.iter().map(|(c, _)| c.job.path.n).collect::<Vec<_>>())
        .bind(told.iter().map(|(c, _)| c.job.path.attempt).collect::<Vec<_>>())
        .bind(told.iter().map(|(c, _)| step(c)).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, a)| a.outcome.as_str()).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, a)| micros(a.took)).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, a)| a.error.as_deref()).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, a)| a.message_id.as_deref()).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, a)| a.detail.as_deref()).collect::<Vec<_>>())
}

/// In the transaction of the completions, all of which were written.
pub(crate) async fn write(
    connection: &mut PgConnection,
    worker: Incarnation,
    completions: &[&Completion],
) -> Result<(), StoreError> {
    if completions.iter().all(|completion| completion.attempt.is_none()) {
        return Ok(());
    }
    bind(sqlx::query(ALONE).bind(worker.0), completions).execute(connection).await?;
    Ok(())
}
