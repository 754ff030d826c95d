//! Completions of instances with a single path: one statement for the whole batch.
//!
//! The path's row is rewritten in place with its next job (no indexed column changes, so the update is
//! HOT), or leaves `jobs`; the log entry, the context, the end of the instance, a parked path and new
//! siblings follow from the rows that the condition let through.
//!
//! The statement's plan is made once, from statistics of any moment, and must be right at every other: each
//! row of the batch looks its own row up by primary key. Two spellings see to that. `= any (array[…])` joins
//! by index only, never by hashing a table; `coalesce(worker, 0)` keeps the planner from the index of leased
//! jobs, where all of a worker's jobs are one key. Together they are worth a factor of 1.7. A test pins the plans.
//!
//! `won` must stay materialized, as what is read several times is by itself: where a row of `instances` was changed
//! meanwhile, PostgreSQL takes the row of `won` that it had once more, and of a union that is read in place it has none.
//! The instance would not be written, and nobody told.
//!
//! The columns of the batch come as arrays, unnested side by side in the select list, which costs less
//! than the same in `from`: there, each array is first written into a store of its own. A column of nulls alone
//! is sent as null.

use std::collections::HashMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::Row;
use trunkline_workflow::advance::{NewPath, Parked, ParkedFor, Then, Transition, advance};
use trunkline_workflow::outcome::Wait;
use trunkline_workflow::path::View;
use trunkline_workflow::{InstanceId, InstanceStatus, Outcome};

use super::{Completion, Written, as_int, ended, successor};
use crate::attempts;
use crate::workers::{Incarnation, micros};
use crate::{PgConnection, StoreError};

/// Whether the decision needs nothing but what the worker already knows. A wait for an event must look
/// back at the events under a lock of its key; near the limit of jobs the log has two entries; a failure is
/// written down once more for those who search for it.
pub(super) fn fits(completion: &Completion) -> bool {
    let job = &completion.job;
    let fails = matches!(completion.outcome, Outcome::Failed { .. });
    let awaits_event = matches!(completion.outcome, Outcome::Waiting { wait: Wait::Event(_), .. });
    let room = trunkline_workflow::advance::MAX_JOBS - job.issued;
    job.alone && !awaits_event && !fails && usize::try_from(room).is_ok_and(|room| room > 500)
}

macro_rules! statement {
    ($columns:literal, $changes:literal) => {
        concat!(
            "
with t as (
    select unnest($2::bytea[]) as instance_id, unnest($3::int[]) as path, unnest($4::int[]) as n,
        unnest($5::int[]) as next_n, unnest($6::int[]) as next_step, unnest($7::int[]) as issued,
        unnest($8::bool[]) as alone, unnest($9::bool[]) as keep, unnest($10::text[]) as ended,
        unnest($11::text[]) as data, unnest($12::text[]) as log_name, unnest($13::text[]) as log_status,
        unnest($14::int[]) as attempt, unnest($15::timestamptz[]) as started_at,
        unnest($16::text[]) as result, unnest($17::text[]) as error",
            $columns,
            "
), moved as (
    update jobs j
    set n = t.next_n, step = t.next_step, issued = t.issued, alone = t.alone, resume = null,
        step_type = null,
        attempt = case when t.keep then 1 else 0 end,
        started_at = case when t.keep then now() end,
        worker = case when t.keep then j.worker end,
        ready_at = case when t.keep then j.ready_at else now() end
    from t
    where t.next_n is not null
        and j.instance_id = any (array[t.instance_id]) and j.path = t.path
        and coalesce(j.worker, 0) = $1 and j.n = t.n and j.alone and not j.held
    returning t.*, j.account_id
), removed as (
    delete from jobs j
    using t
    where t.next_n is null
        and j.instance_id = any (array[t.instance_id]) and j.path = t.path
        and coalesce(j.worker, 0) = $1 and j.n = t.n and j.alone and not j.held
    returning t.*, j.account_id
), won as (
    select * from moved
    union all
    select * from removed
), logged as (
    insert into steps (instance_id, n, name, status, attempt, started_at, result, error)
    select instance_id, n, log_name, log_status, attempt, started_at, result, error
    from won
    where log_name is not null
), saved as (
    update instances i
    set data = coalesce(won.data, i.data),
        started_data = case when won.data is null then i.started_data else coalesce(i.started_data, i.data) end,
        status = coalesce(won.ended, i.status),
        completed_at = case when won.ended is not null then now() end
    from won
    where (won.data is not null or won.ended is not null) and i.id = any (array[won.instance_id])
)",
            $changes,
            "
select instance_id, now() from won"
        )
    };
}

/// Of batches in which paths go on or end.
pub const STATEMENT: &str = statement!("", "");

/// Of batches in which some are parked or fork.
pub const WIDE_STATEMENT: &str = statement!(
    ",
        unnest($18::text[]) as parked_kind, unnest($19::bigint[]) as parked_for, unnest($20::text[]) as note,
        unnest($21::text[]) as resume, unnest($22::int[]) as step",
    ", parked as (
    insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at,
        note, resume)
    select instance_id, path, account_id, n, step, issued, attempt, parked_kind,
        case when parked_kind = 'retry' then now() else started_at end
            + parked_for * interval '1 microsecond',
        started_at, note, resume
    from won
    where parked_kind is not null
), forked as (
    insert into jobs (instance_id, path, account_id, n, step, scope, issued, alone, queued, worker,
        attempt, started_at)
    select f.instance_id, f.path, won.account_id, f.path, f.step, f.scope, won.issued, false, f.queued,
        case when not f.queued and won.keep then $1 end,
        case when not f.queued and won.keep then 1 else 0 end,
        case when not f.queued and won.keep then now() end
    from unnest($23::bytea[], $24::int[], $25::int[], $26::int[], $27::bool[])
        as f (instance_id, path, step, scope, queued)
    join won on won.instance_id = f.instance_id
)"
);

/// The same for batches in which an attempt has something to tell the history; the others do not pay for it.
pub static TELLING_STATEMENT: LazyLock<String> = LazyLock::new(|| {
    let (changes, answer) =
        WIDE_STATEMENT.rsplit_once("\nselect ").expect("the statement ends with what it answers");
    format!("{changes}, told as (\n{}\n)\nselect {answer}", attempts::OF_WON)
});

/// `None` where the condition let nothing through.
pub(super) async fn write(
    connection: &mut PgConnection,
    worker: Incarnation,
    batch: &[&Completion],
) -> Result<Vec<Option<Written>>, StoreError> {
    let transitions: Vec<Transition> = batch
        .iter()
        .map(|completion| {
            let job = &completion.job;
            advance(&completion.graph, &View::alone(job.issued), &job.path, completion.outcome.clone())
        })
        .collect();
    let rows = || batch.iter().zip(&transitions);
    let next = |transition: &Transition| match &transition.then {
        Then::Continues(next) => Some(next.clone()),
        Then::Parked(_) | Then::Ends => None,
    };
    let parked = |transition: &Transition| match &transition.then {
        Then::Parked(parked) => Some(parked.clone()),
        Then::Continues(_) | Then::Ends => None,
    };
    let forks = || rows().flat_map(|(c, t)| t.forked.iter().map(move |fork| (c.job.instance, fork)));
    let is_told = batch.iter().any(|completion| completion.attempt.is_some());
    let is_wide = is_told || rows().any(|(_, t)| parked(t).is_some() || !t.forked.is_empty());
    let statement = match (is_told, is_wide) {
        (true, _) => TELLING_STATEMENT.as_str(),
        (false, true) => WIDE_STATEMENT,
        (false, false) => STATEMENT,
    };
    let mut statement = sqlx::query(statement)
        .bind(worker.0)
        .bind(rows().map(|(c, _)| &c.job.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(rows().map(|(_, t)| t.path).collect::<Vec<_>>())
        .bind(rows().map(|(_, t)| t.n).collect::<Vec<_>>())
        .bind(column(rows().map(|(_, t)| next(t).map(|next| next.n))))
        .bind(column(rows().map(|(_, t)| next(t).map(|next| as_int(next.step)))))
        .bind(rows().map(|(_, t)| t.issued).collect::<Vec<_>>())
        .bind(rows().map(|(_, t)| t.alone).collect::<Vec<_>>())
        .bind(rows().map(|(c, t)| goes_on(t).is_some_and(|next| c.keeps(next.step))).collect::<Vec<_>>())
        .bind(column(rows().map(|(_, t)| t.ended.map(InstanceStatus::as_str))))
        .bind(column(rows().map(|(_, t)| t.data.as_deref())))
        .bind(column(rows().map(|(_, t)| t.log.first().map(|entry| entry.name.as_str()))))
        .bind(column(rows().map(|(_, t)| t.log.first().map(|entry| entry.status.as_str()))))
        .bind(rows().map(|(c, t)| parked(t).map_or(c.job.path.attempt, |p| p.attempt)).collect::<Vec<_>>())
        .bind(rows().map(|(c, _)| c.job.path.started_at).collect::<Vec<_>>())
        .bind(column(rows().map(|(_, t)| t.log.first().and_then(|e| e.result.as_deref()))))
        .bind(column(rows().map(|(_, t)| t.log.first().and_then(|e| e.error.as_deref()))));
    if is_wide {
        statement = statement
            .bind(column(rows().map(|(_, t)| parked(t).map(|parked| columns(&parked.kind).0))))
            .bind(column(rows().map(|(_, t)| parked(t).and_then(|parked| columns(&parked.kind).1))))
            .bind(column(rows().map(|(_, t)| parked(t).and_then(|parked| note(&parked)))))
            .bind(column(rows().map(|(c, _)| c.job.resume.as_deref())))
            .bind(rows().map(|(c, _)| as_int(c.job.path.step)).collect::<Vec<_>>())
            .bind(forks().map(|(id, _)| id.as_bytes().to_vec()).collect::<Vec<_>>())
            .bind(forks().map(|(_, fork)| fork.path).collect::<Vec<_>>())
            .bind(forks().map(|(_, fork)| as_int(fork.step)).collect::<Vec<_>>())
            .bind(forks().map(|(_, fork)| fork.scope).collect::<Vec<_>>())
            .bind(forks().map(|(_, fork)| fork.queued).collect::<Vec<_>>());
    }
    if is_told {
        statement = attempts::bind(statement, batch);
    }
    let won = statement.fetch_all(connection).await?;
    let mut times: HashMap<InstanceId, DateTime<Utc>> = HashMap::with_capacity(won.len());
    for row in won {
        times.insert(crate::waits::read_id(row.try_get(0)?)?, row.try_get(1)?);
    }
    Ok(rows()
        .map(|(completion, transition)| {
            let now = *times.get(&completion.job.instance)?;
            Some(written(completion, transition, now))
        })
        .collect())
}

/// A column of the batch: nothing at all where it holds nothing but nulls.
fn column<T>(values: impl Iterator<Item = Option<T>>) -> Option<Vec<Option<T>>> {
    let values: Vec<Option<T>> = values.collect();
    values.iter().any(Option::is_some).then_some(values)
}

/// The path that goes on: its own, or the first of an `If`'s bodies.
fn goes_on(transition: &Transition) -> Option<&NewPath> {
    match &transition.then {
        Then::Continues(next) => Some(next),
        Then::Parked(_) | Then::Ends => transition.forked.iter().find(|fork| !fork.queued),
    }
}

fn written(completion: &Completion, transition: &Transition, now: DateTime<Utc>) -> Written {
    match goes_on(transition) {
        None => Written::Done { ready: false, ended: ended(&completion.job, transition.ended, now) },
        Some(next) if !completion.keeps(next.step) => Written::Done { ready: true, ended: None },
        Some(next) => {
            let state = (transition.issued, transition.alone);
            Written::Next(Box::new(successor(
                completion, next.path, next.n, next.step, next.scope, state, now,
            )))
        }
    }
}

/// The kind of the wait, and its microseconds.
pub(super) fn columns(kind: &ParkedFor) -> (&'static str, Option<i64>) {
    match kind {
        ParkedFor::Time(duration) => ("timer", Some(micros(*duration))),
        ParkedFor::Event { awaited, timeout } => (awaited.event.kind(), Some(micros(*timeout))),
        ParkedFor::Retry { after, .. } => ("retry", Some(micros(*after))),
        ParkedFor::Bodies => ("body", None),
    }
}

pub(super) fn note(parked: &Parked) -> Option<String> {
    match &parked.kind {
        ParkedFor::Retry { message, .. } => Some(message.clone()),
        _ => None,
    }
}
