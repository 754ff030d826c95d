//! The changes of a batch, gathered by statement: each statement goes over all instances of the batch.

use chrono::{DateTime, Utc};
use trunkline_workflow::advance::{LogEntry, NewPath, Parked, ParkedFor, Then, Transition};
use trunkline_workflow::outcome::Awaited;
use trunkline_workflow::{InstanceId, InstanceStatus, StepStatus};

use super::alone::{columns, note};
use super::{Completion, Written, as_int, ended, successor};
use crate::dispatches;
use crate::search::{NewFailure, note_failures};
use crate::waits::Resume;
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

/// A job to be in `jobs` afterwards.
struct Placed {
    instance: InstanceId,
    account: String,
    next: NewPath,
    issued: i32,
    alone: bool,
    held: bool,
    mine: bool,
}

struct ToPark {
    instance: InstanceId,
    account: String,
    path: i32,
    n: i32,
    issued: i32,
    parked: Parked,
    resume: Option<String>,
}

struct Turn {
    instance: InstanceId,
    path: i32,
    /// Carried by the row from now on: it may go on alone.
    issued: i32,
    alone: bool,
    queued: bool,
    held: bool,
}

/// What a completion meets besides the paths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) held: bool,
    /// As the instance's own row has it.
    pub(super) issued: i32,
    /// There is no other path.
    pub(super) alone: bool,
}

/// The batch's changes, gathered by statement.
#[derive(Default)]
pub(super) struct Changes {
    /// Paths that leave `jobs`.
    left: Vec<(InstanceId, i32)>,
    cancelled: Vec<(InstanceId, i32)>,
    continued: Vec<Placed>,
    forked: Vec<Placed>,
    parked: Vec<ToPark>,
    woken: Vec<Turn>,
    closed: Vec<Turn>,
    log: Vec<(InstanceId, LogEntry)>,
    /// Those of which something changes that no row of a path says.
    instances: Vec<(InstanceId, i32, Option<InstanceStatus>, Option<String>)>,
    failures: Vec<NewFailure>,
}

impl Changes {
    pub(super) fn add(
        &mut self,
        completion: &Completion,
        transition: Transition,
        met: Met,
        now: DateTime<Utc>,
    ) -> Written {
        let held = met.held;
        let job = &completion.job;
        let id = job.instance;
        let (issued, alone) = (transition.issued, transition.alone);
        let failed = transition.log.iter().find(|entry| entry.status == StepStatus::Failed);
        if let Some(entry) = failed.filter(|_| transition.ended == Some(InstanceStatus::Terminated)) {
            self.failures.push(NewFailure {
                instance: id,
                account: job.account.as_str().to_owned(),
                definition: job.definition,
                version: job.version,
                step: entry.name.clone(),
                message: entry.error.clone().unwrap_or_default(),
                at: None,
            });
        }
        self.cancelled.extend(transition.cancelled.into_iter().map(|path| (id, path)));
        self.log.extend(transition.log.into_iter().map(|entry| (id, entry)));
        // A path that goes on alone carries the count in its own row. A parked instance is not written for it: its
        // row would be there twice, and so would its place in each index.
        let goes_on_alone =
            met.alone && transition.forked.is_empty() && !matches!(transition.then, Then::Ends);
        let is_counted = issued == met.issued || goes_on_alone;
        if !is_counted || transition.ended.is_some() || transition.data.is_some() {
            self.instances.push((id, issued, transition.ended, transition.data));
        }
        if let Some(path) = transition.woken {
            self.woken.push(Turn { instance: id, path, issued, alone, queued: false, held });
        }
        if let Some(closed) = transition.closed {
            self.closed.push(Turn {
                instance: id,
                path: closed.path,
                issued,
                alone,
                queued: closed.queued,
                held,
            });
        }
        let mut next = None;
        let mut active = transition.woken.is_some() || transition.closed.is_some_and(|closed| !closed.queued);
        let mut place = |path: NewPath| {
            let mine = !path.queued && !held && completion.keeps(path.step);
            if mine {
                let state = (issued, alone);
                next = Some(successor(completion, path.path, path.n, path.step, path.scope, state, now));
            }
            active |= !path.queued;
            let account = job.account.as_str().to_owned();
            Placed { instance: id, account, next: path, issued, alone, held, mine }
        };
        match transition.then {
            Then::Continues(path) => self.continued.push(place(path)),
            Then::Parked(parked) => {
                let resume = job.resume.clone().filter(|_| matches!(parked.kind, ParkedFor::Retry { .. }));
                self.left.push((id, transition.path));
                self.parked.push(ToPark {
                    instance: id,
                    account: job.account.as_str().to_owned(),
                    path: transition.path,
                    n: transition.n,
                    issued,
                    parked,
                    resume,
                });
            }
            Then::Ends => self.left.push((id, transition.path)),
        }
        self.forked.extend(transition.forked.into_iter().map(place));
        match next {
            Some(next) => Written::Next(Box::new(next)),
            None => Written::Done { ready: active && !held, ended: ended(job, transition.ended, now) },
        }
    }

    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        worker: Incarnation,
    ) -> Result<(), StoreError> {
        let ids = |pairs: &[(InstanceId, i32)]| {
            pairs.iter().map(|(id, _)| id.as_bytes().to_vec()).collect::<Vec<_>>()
        };
        let paths = |pairs: &[(InstanceId, i32)]| pairs.iter().map(|(_, path)| *path).collect::<Vec<_>>();
        // Each path goes on or leaves.
        if self.left.is_empty() && self.continued.is_empty() {
            return Ok(());
        }
        let leaving: Vec<(InstanceId, i32)> = self.left.iter().chain(&self.cancelled).copied().collect();
        sqlx::query(
            "delete from jobs j
             using unnest($1::bytea[], $2::int[]) as t (instance_id, path)
             where j.instance_id = t.instance_id and j.path = t.path",
        )
        .bind(ids(&leaving))
        .bind(paths(&leaving))
        .execute(&mut *connection)
        .await?;
        if !self.cancelled.is_empty() {
            sqlx::query(
                "delete from waits w
                 using unnest($1::bytea[], $2::int[]) as t (instance_id, path)
                 where w.instance_id = t.instance_id and w.path::smallint = t.path::smallint",
            )
            .bind(ids(&self.cancelled))
            .bind(paths(&self.cancelled))
            .execute(&mut *connection)
            .await?;
        }
        self.write_turns(connection).await?;
        self.write_continued(connection, worker).await?;
        self.write_forked(connection, worker).await?;
        self.write_parked(connection).await?;
        append_log(connection, &self.log).await?;
        self.write_instances(connection).await?;
        if self.failures.is_empty() {
            return Ok(());
        }
        note_failures(&mut *connection, &self.failures).await?;
        let faulted: Vec<InstanceId> = self.failures.iter().map(|failure| failure.instance).collect();
        dispatches::seal_fate(connection, &faulted).await
    }

    async fn write_instances(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.instances.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update instances i
             set issued = t.issued,
                 data = coalesce(t.data, i.data),
                 started_data = case
                     when t.data is null then i.started_data else coalesce(i.started_data, i.data)
                 end,
                 status = coalesce(t.ended, i.status),
                 completed_at = case when t.ended is not null then now() end
             from unnest($1::bytea[], $2::int[], $3::text[], $4::text[]) as t (id, issued, ended, data)
             where i.id = t.id",
        )
        .bind(self.instances.iter().map(|(id, ..)| &id.as_bytes()[..]).collect::<Vec<_>>())
        .bind(self.instances.iter().map(|(_, issued, ..)| *issued).collect::<Vec<_>>())
        .bind(
            self.instances.iter().map(|(.., ended, _)| ended.map(InstanceStatus::as_str)).collect::<Vec<_>>(),
        )
        .bind(self.instances.iter().map(|(.., data)| data.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Siblings whose turn it is, and an `If` whose bodies ended.
    async fn write_turns(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if !self.woken.is_empty() {
            sqlx::query(
                "update jobs j
                 set queued = false, alone = t.alone, issued = t.issued, ready_at = now()
                 from unnest($1::bytea[], $2::int[], $3::bool[], $4::int[])
                     as t (instance_id, path, alone, issued)
                 where j.instance_id = t.instance_id and j.path = t.path",
            )
            .bind(self.woken.iter().map(|turn| &turn.instance.as_bytes()[..]).collect::<Vec<_>>())
            .bind(self.woken.iter().map(|turn| turn.path).collect::<Vec<_>>())
            .bind(self.woken.iter().map(|turn| turn.alone).collect::<Vec<_>>())
            .bind(self.woken.iter().map(|turn| turn.issued).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        if !self.closed.is_empty() {
            sqlx::query(
                "with closed as (
                     delete from waits w
                     using unnest($1::bytea[], $2::int[], $3::bool[], $4::bool[], $5::bool[], $7::int[])
                         as t (instance_id, path, alone, queued, held, issued)
                     where w.instance_id = t.instance_id and w.path::smallint = t.path::smallint
                     returning w.instance_id, w.path, w.account_id, w.n, w.step, w.scope, t.issued, t.alone,
                         t.queued, t.held, w.started_at
                 )
                 insert into jobs (instance_id, path, account_id, n, step, scope, issued, alone, queued,
                     held, resume, started_at)
                 select instance_id, path, account_id, n, step, scope, issued, alone, queued, held, $6,
                     started_at
                 from closed",
            )
            .bind(self.closed.iter().map(|turn| &turn.instance.as_bytes()[..]).collect::<Vec<_>>())
            .bind(self.closed.iter().map(|turn| turn.path).collect::<Vec<_>>())
            .bind(self.closed.iter().map(|turn| turn.alone).collect::<Vec<_>>())
            .bind(self.closed.iter().map(|turn| turn.queued).collect::<Vec<_>>())
            .bind(self.closed.iter().map(|turn| turn.held).collect::<Vec<_>>())
            .bind(Resume::BodiesEnded.to_text())
            .bind(self.closed.iter().map(|turn| turn.issued).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }

    /// The row of a path that goes on is rewritten, never replaced: whoever waits for its lock still gets it.
    async fn write_continued(
        &self,
        connection: &mut PgConnection,
        worker: Incarnation,
    ) -> Result<(), StoreError> {
        if self.continued.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update jobs j
             set n = t.n, step = t.step, scope = t.scope, issued = t.issued, alone = t.alone,
                 queued = t.queued, held = t.held, resume = null, step_type = null,
                 worker = case when t.mine then $1 end,
                 attempt = case when t.mine then 1 else 0 end,
                 started_at = case when t.mine then now() end,
                 ready_at = case when t.mine then j.ready_at else now() end
             from unnest($2::bytea[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::bool[],
                 $9::bool[], $10::bool[], $11::bool[])
                 as t (instance_id, path, n, step, scope, issued, alone, queued, held, mine)
             where j.instance_id = t.instance_id and j.path = t.path",
        )
        .bind(worker.0)
        .bind(self.continued.iter().map(|p| &p.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.next.path).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.next.n).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| as_int(p.next.step)).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.next.scope).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.issued).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.alone).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.next.queued).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.held).collect::<Vec<_>>())
        .bind(self.continued.iter().map(|p| p.mine).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn write_forked(
        &self,
        connection: &mut PgConnection,
        worker: Incarnation,
    ) -> Result<(), StoreError> {
        if self.forked.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into jobs (instance_id, path, account_id, n, step, scope, issued, alone, queued, held,
                 worker, attempt, started_at)
             select t.instance_id, t.path, t.account_id, t.n, t.step, t.scope, t.issued, t.alone, t.queued,
                 t.held, case when t.mine then $1 end, case when t.mine then 1 else 0 end,
                 case when t.mine then now() end
             from unnest($2::bytea[], $3::int[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[],
                 $9::bool[], $10::bool[], $11::bool[], $12::bool[])
                 as t (instance_id, path, account_id, n, step, scope, issued, alone, queued, held, mine)",
        )
        .bind(worker.0)
        .bind(self.forked.iter().map(|p| &p.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.next.path).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.account.as_str()).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.next.n).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| as_int(p.next.step)).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.next.scope).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.issued).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.alone).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.next.queued).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.held).collect::<Vec<_>>())
        .bind(self.forked.iter().map(|p| p.mine).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn write_parked(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.parked.is_empty() {
            return Ok(());
        }
        let awaited = |parked: &Parked| match &parked.kind {
            ParkedFor::Event { awaited, .. } => Some(awaited.clone()),
            _ => None,
        };
        // An array in each row does not go through unnest; a JSON text does.
        let accepts = |awaited: Awaited| {
            let states = awaited.event.states();
            (!states.is_empty()).then(|| serde_json::Value::from(states).to_string())
        };
        sqlx::query(
            "insert into waits (instance_id, path, account_id, n, step, scope, issued, attempt, kind, due_at,
                 key, started_at, note, resume, accepts)
             select t.instance_id, t.path, t.account_id, t.n, t.step, t.scope, t.issued, t.attempt, t.kind,
                 case when t.micros is not null then greatest(
                     case when t.kind = 'retry' then now() else t.started_at end
                         + t.micros * interval '1 microsecond',
                     now()
                 ) end,
                 t.key, t.started_at, t.note, t.resume,
                 case when t.accepts is not null then array(select json_array_elements_text(t.accepts::json)) end
             from unnest($1::bytea[], $2::int[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[],
                 $8::int[], $9::text[], $10::bigint[], $11::text[], $12::timestamptz[], $13::text[], $14::text[],
                 $15::text[])
                 as t (instance_id, path, account_id, n, step, scope, issued, attempt, kind, micros, key,
                     started_at, note, resume, accepts)",
        )
        .bind(self.parked.iter().map(|p| &p.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.path).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.account.as_str()).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.n).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| as_int(p.parked.step)).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.parked.scope).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.issued).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.parked.attempt).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| columns(&p.parked.kind).0).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| columns(&p.parked.kind).1).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| awaited(&p.parked).map(|awaited| awaited.key)).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.parked.started_at).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| note(&p.parked)).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| p.resume.as_deref()).collect::<Vec<_>>())
        .bind(self.parked.iter().map(|p| awaited(&p.parked).and_then(accepts)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Appends finished jobs to the log.
pub(crate) async fn append_log(
    connection: &mut PgConnection,
    log: &[(InstanceId, LogEntry)],
) -> Result<(), StoreError> {
    if log.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into steps (instance_id, n, name, status, attempt, started_at, result, error)
         select *
         from unnest($1::bytea[], $2::int[], $3::text[], $4::text[], $5::int[], $6::timestamptz[],
             $7::text[], $8::text[])",
    )
    .bind(log.iter().map(|(id, _)| &id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.n).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.name.as_str()).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.status.as_str()).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.attempt).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.started_at).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.result.as_deref()).collect::<Vec<_>>())
    .bind(log.iter().map(|(_, entry)| entry.error.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
