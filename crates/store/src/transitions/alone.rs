//! Completions of instances with a single path: one statement for the whole batch.
//!
//! The path's row is rewritten in place with its next job (no indexed column changes, so the update is
//! HOT), or leaves `jobs`; the log entry, the context, the end of the instance, a parked path and new
//! siblings follow for those that the condition let through.
//!
//! The statement's plan is made once, from statistics of any moment, and must be right at every other: each
//! row of the batch looks its own row up by primary key. Two spellings see to that. `= any (array[…])` joins
//! by index only, never by hashing a table; `coalesce(worker, 0)` keeps the planner from the index of leased
//! jobs, where all of a worker's jobs are one key. Together they are worth a factor of 1.7. A test pins the plans.
//!
//! Each part has arrays of its own, of the rows that it is about and the columns that it needs: what is handed
//! from part to part is formed and read again for each row, which costs more than to send it twice. A column of
//! nulls alone is sent as null. The arrays are unnested side by side in the select list, which costs less than
//! the same in `from`. Nearly always `every` row is won, and then nobody asks whether this one is; by its instance, which
//! no batch has twice.
//!
//! What `saved` writes is gathered before, in `saving`: where a row of `instances` was changed meanwhile, PostgreSQL
//! looks at it again, beside the row of `saving` that it had, and asks nothing else a second time.

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::FromRow;
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
    ($moved_columns:literal, $moved_changes:literal, $changes:literal) => {
        concat!(
            "
with moved as (
    update jobs j
    set n = t.next_n, step = t.next_step, issued = t.issued, resume = null, step_type = null,
        attempt = case when t.keep then 1 else 0 end,
        started_at = case when t.keep then now() end,
        worker = case when t.keep then j.worker end,
        ready_at = case when t.keep then j.ready_at else now() end",
            $moved_changes,
            "
    from (
        select unnest($3::bytea[]) as instance_id, unnest($4::int[]) as path, unnest($5::int[]) as n,
            unnest($6::int[]) as next_n, unnest($7::int[]) as next_step, unnest($8::int[]) as issued,
            unnest($9::bool[]) as keep",
            $moved_columns,
            "
    ) t
    where j.instance_id = any (array[t.instance_id]) and j.path = t.path
        and coalesce(j.worker, 0) = $1 and j.n = t.n and j.alone and not j.held
    returning t.instance_id
), removed as (
    delete from jobs j
    using (
        select unnest($10::bytea[]) as instance_id, unnest($11::int[]) as path, unnest($12::int[]) as n
    ) t
    where j.instance_id = any (array[t.instance_id]) and j.path = t.path
        and coalesce(j.worker, 0) = $1 and j.n = t.n and j.alone and not j.held
    returning t.instance_id
), won as (
    select instance_id from moved
    union all
    select instance_id from removed
), every as (
    select count(*) = $2 as won from won
), logged as (
    insert into steps (instance_id, n, name, status, attempt, started_at, result, error)
    select *
    from (
        select unnest($13::bytea[]) as instance_id, unnest($14::int[]), unnest($15::text[]), unnest($16::text[]),
            unnest($17::int[]), unnest($18::timestamptz[]), unnest($19::text[]), unnest($20::text[])
    ) l
    where (select won from every) or instance_id in (select instance_id from won)
), saving as materialized (
    select *
    from (
        select unnest($21::bytea[]) as instance_id, unnest($22::text[]) as data, unnest($23::text[]) as ended
    ) s
    where (select won from every) or instance_id in (select instance_id from won)
), saved as (
    update instances i
    set data = coalesce(s.data, i.data),
        started_data = case when s.data is null then i.started_data else coalesce(i.started_data, i.data) end,
        status = coalesce(s.ended, i.status),
        completed_at = case when s.ended is not null then now() end
    from saving s
    where i.id = any (array[s.instance_id])
)",
            $changes,
            "
select now(), (select won from every), array(select instance_id from won where not (select won from every))"
        )
    };
}

/// Of batches in which paths go on or end.
pub const STATEMENT: &str = statement!("", "", "");

/// Of batches in which some are parked or fork.
pub const WIDE_STATEMENT: &str = statement!(
    ",
            unnest($24::bool[]) as alone",
    ", alone = t.alone",
    ", parked as (
    insert into waits (instance_id, account_id, path, n, step, issued, attempt, started_at, note, resume, kind, due_at)
    select instance_id, account_id, path, n, step, issued, attempt, started_at, note, resume, kind,
        case when lasting is not null then greatest(
            case when kind = 'retry' then now() else started_at end + lasting * interval '1 microsecond', now()
        ) end
    from (
        select unnest($25::bytea[]) as instance_id, unnest($26::text[]) as account_id, unnest($27::int[]) as path,
            unnest($28::int[]) as n, unnest($29::int[]) as step, unnest($30::int[]) as issued,
            unnest($31::int[]) as attempt, unnest($32::timestamptz[]) as started_at, unnest($33::text[]) as note,
            unnest($34::text[]) as resume, unnest($35::text[]) as kind, unnest($36::bigint[]) as lasting
    ) p
    where (select won from every) or instance_id in (select instance_id from won)
), forked as (
    insert into jobs (instance_id, account_id, path, n, step, scope, issued, alone, queued, worker, attempt,
        started_at)
    select instance_id, account_id, path, path, step, scope, issued, false, queued,
        case when keep then $1 end, case when keep then 1 else 0 end, case when keep then now() end
    from (
        select unnest($37::bytea[]) as instance_id, unnest($38::text[]) as account_id, unnest($39::int[]) as path,
            unnest($40::int[]) as step, unnest($41::int[]) as scope, unnest($42::int[]) as issued,
            unnest($43::bool[]) as queued, unnest($44::bool[]) as keep
    ) f
    where (select won from every) or instance_id in (select instance_id from won)
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
    let rows = || batch.iter().copied().zip(&transitions);
    let going = || rows().filter_map(|(c, t)| Some((c, t, goes_on_itself(t)?)));
    let leaving = || rows().filter(|(_, t)| goes_on_itself(t).is_none());
    let parked = || rows().filter_map(|(c, t)| Some((c, t, parks(t)?)));
    let logged = || rows().filter_map(|(c, t)| Some((c, t, t.log.first()?)));
    let saved = || rows().filter(|(_, t)| t.data.is_some() || t.ended.is_some());
    let forks = || rows().flat_map(|(c, t)| t.forked.iter().map(move |fork| (c, t, fork)));
    let is_told = batch.iter().any(|completion| completion.attempt.is_some());
    let is_wide = is_told
        || parked().next().is_some()
        || forks().next().is_some()
        || going().any(|(_, transition, _)| !transition.alone);
    let statement = match (is_told, is_wide) {
        (true, _) => TELLING_STATEMENT.as_str(),
        (false, true) => WIDE_STATEMENT,
        (false, false) => STATEMENT,
    };
    let mut statement = sqlx::query(statement)
        .bind(worker.0)
        .bind(i64::try_from(batch.len()).unwrap_or(i64::MAX))
        .bind(going().map(|(c, ..)| id(c)).collect::<Vec<_>>())
        .bind(going().map(|(_, t, _)| t.path).collect::<Vec<_>>())
        .bind(going().map(|(_, t, _)| t.n).collect::<Vec<_>>())
        .bind(going().map(|(.., next)| next.n).collect::<Vec<_>>())
        .bind(going().map(|(.., next)| as_int(next.step)).collect::<Vec<_>>())
        .bind(going().map(|(_, t, _)| t.issued).collect::<Vec<_>>())
        .bind(going().map(|(c, _, next)| c.keeps(next.step)).collect::<Vec<_>>())
        .bind(leaving().map(|(c, _)| id(c)).collect::<Vec<_>>())
        .bind(leaving().map(|(_, t)| t.path).collect::<Vec<_>>())
        .bind(leaving().map(|(_, t)| t.n).collect::<Vec<_>>())
        .bind(logged().map(|(c, ..)| id(c)).collect::<Vec<_>>())
        .bind(logged().map(|(_, t, _)| t.n).collect::<Vec<_>>())
        .bind(logged().map(|(.., entry)| entry.name.as_str()).collect::<Vec<_>>())
        .bind(logged().map(|(.., entry)| entry.status.as_str()).collect::<Vec<_>>())
        .bind(
            logged().map(|(c, t, _)| parks(t).map_or(c.job.path.attempt, |p| p.attempt)).collect::<Vec<_>>(),
        )
        .bind(logged().map(|(c, ..)| c.job.path.started_at).collect::<Vec<_>>())
        .bind(column(logged().map(|(.., entry)| entry.result.as_deref())))
        .bind(column(logged().map(|(.., entry)| entry.error.as_deref())))
        .bind(saved().map(|(c, _)| id(c)).collect::<Vec<_>>())
        .bind(column(saved().map(|(_, t)| t.data.as_deref())))
        .bind(column(saved().map(|(_, t)| t.ended.map(InstanceStatus::as_str))));
    if is_wide {
        statement = statement
            .bind(going().map(|(_, t, _)| t.alone).collect::<Vec<_>>())
            .bind(parked().map(|(c, ..)| id(c)).collect::<Vec<_>>())
            .bind(parked().map(|(c, ..)| c.job.account.as_str()).collect::<Vec<_>>())
            .bind(parked().map(|(_, t, _)| t.path).collect::<Vec<_>>())
            .bind(parked().map(|(_, t, _)| t.n).collect::<Vec<_>>())
            .bind(parked().map(|(c, ..)| as_int(c.job.path.step)).collect::<Vec<_>>())
            .bind(parked().map(|(_, t, _)| t.issued).collect::<Vec<_>>())
            .bind(parked().map(|(.., parked)| parked.attempt).collect::<Vec<_>>())
            .bind(parked().map(|(c, ..)| c.job.path.started_at).collect::<Vec<_>>())
            .bind(column(parked().map(|(.., parked)| note(parked))))
            .bind(column(parked().map(|(c, ..)| c.job.resume.as_deref())))
            .bind(parked().map(|(.., parked)| columns(&parked.kind).0).collect::<Vec<_>>())
            .bind(column(parked().map(|(.., parked)| columns(&parked.kind).1)))
            .bind(forks().map(|(c, ..)| id(c)).collect::<Vec<_>>())
            .bind(forks().map(|(c, ..)| c.job.account.as_str()).collect::<Vec<_>>())
            .bind(forks().map(|(.., fork)| fork.path).collect::<Vec<_>>())
            .bind(forks().map(|(.., fork)| as_int(fork.step)).collect::<Vec<_>>())
            .bind(forks().map(|(.., fork)| fork.scope).collect::<Vec<_>>())
            .bind(forks().map(|(_, t, _)| t.issued).collect::<Vec<_>>())
            .bind(forks().map(|(.., fork)| fork.queued).collect::<Vec<_>>())
            .bind(forks().map(|(c, t, fork)| !fork.queued && keeps_first(c, t)).collect::<Vec<_>>());
    }
    if is_told {
        statement = attempts::bind(statement, batch);
    }
    let answer = statement.fetch_one(connection).await?;
    let (now, every, won): (DateTime<Utc>, bool, Vec<Vec<u8>>) = FromRow::from_row(&answer)?;
    let won: HashSet<InstanceId> =
        won.iter().map(|id| crate::waits::read_id(id)).collect::<Result<_, _>>()?;
    let is_won = |completion: &Completion| every || won.contains(&completion.job.instance);
    Ok(rows().map(|(c, t)| is_won(c).then(|| written(c, t, now))).collect())
}

fn id(completion: &Completion) -> &[u8] {
    completion.job.instance.as_bytes()
}

/// The next job of the same path.
fn goes_on_itself(transition: &Transition) -> Option<&NewPath> {
    match &transition.then {
        Then::Continues(next) => Some(next),
        Then::Parked(_) | Then::Ends => None,
    }
}

fn parks(transition: &Transition) -> Option<&Parked> {
    match &transition.then {
        Then::Parked(parked) => Some(parked),
        Then::Continues(_) | Then::Ends => None,
    }
}

/// Whether the worker goes on with what goes on.
fn keeps_first(completion: &Completion, transition: &Transition) -> bool {
    goes_on(transition).is_some_and(|next| completion.keeps(next.step))
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
