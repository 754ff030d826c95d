//! Completions decided under the lock of their instances: siblings, waits for messages, suspended
//! instances. One transaction for the batch.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use trunkline_workflow::advance::advance;
use trunkline_workflow::outcome::{Awaited, Wait};
use trunkline_workflow::path::{Path, Place, View};
use trunkline_workflow::{InstanceId, InstanceStatus, Outcome};

use super::changes::{Changes, Met};
use super::{Completion, Written};
use crate::attempts;
use crate::events;
use crate::waits::{Ending, WaitRow, read_id, resume};
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

/// An instance as the lock shows it.
struct Locked {
    status: InstanceStatus,
    /// The greatest of what its rows say.
    issued: i32,
    /// What the instance's own row says.
    own_issued: i32,
    paths: Vec<Path>,
    /// Path and number of the job that this worker holds.
    mine: Vec<(i32, i32)>,
}

/// One answer per completion; the batch is sorted by instance and names each instance once (a worker
/// holds at most one path of an instance).
pub(super) async fn write(
    connection: &mut PgConnection,
    worker: Incarnation,
    batch: &[&Completion],
) -> Result<Vec<Written>, StoreError> {
    let mut transaction = connection.begin().await?;
    let now: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?;
    let lock_name = |c: &&Completion| Some(events::lock_name(&c.job.account, &awaited(c)?.key));
    let keys: Vec<String> = batch.iter().filter_map(lock_name).collect();
    events::lock_keys(&mut transaction, &keys).await?;
    let ids: Vec<InstanceId> = batch.iter().map(|completion| completion.job.instance).collect();
    let locked = lock(&mut transaction, worker, &ids).await?;

    let mut changes = Changes::default();
    let mut answers = Vec::with_capacity(batch.len());
    for completion in batch {
        let job = &completion.job;
        let Some(instance) =
            locked.get(&job.instance).filter(|i| i.mine.contains(&(job.path.path, job.path.n)))
        else {
            answers.push(Written::Refused);
            continue;
        };
        let view = View {
            issued: instance.issued.max(job.issued),
            others: instance.paths.iter().filter(|path| path.path != job.path.path).cloned().collect(),
        };
        let transition = advance(&completion.graph, &view, &job.path, completion.outcome.clone());
        let met = Met {
            held: instance.status == InstanceStatus::Suspended,
            issued: instance.own_issued,
            alone: view.others.is_empty(),
        };
        answers.push(changes.add(completion, transition, met, now));
    }
    changes.write(&mut transaction, worker).await?;
    let written: Vec<&Completion> = batch
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| !matches!(answer, Written::Refused))
        .map(|(completion, _)| *completion)
        .collect();
    attempts::write(&mut transaction, worker, &written).await?;
    let replied = look_back(&mut transaction, batch, &answers).await?;
    transaction.commit().await?;
    if replied {
        for answer in &mut answers {
            if let Written::Done { ready, .. } = answer {
                *ready = true;
            }
        }
    }
    Ok(answers)
}

fn awaited(completion: &Completion) -> Option<&Awaited> {
    match &completion.outcome {
        Outcome::Waiting { wait: Wait::Event(awaited), .. } => Some(awaited),
        _ => None,
    }
}

/// Locks jobs and instances in order, then reads what is open. A lock on the instance keeps every other
/// decision about it out, so what is read after it stays true.
async fn lock(
    connection: &mut PgConnection,
    worker: Incarnation,
    ids: &[InstanceId],
) -> Result<HashMap<InstanceId, Locked>, StoreError> {
    let ids: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    let lock_jobs = "select instance_id, path, n, step, scope, issued, attempt, queued, worker, started_at
         from jobs
         where instance_id = any($1)
         order by instance_id, path
         for update";
    sqlx::query(lock_jobs).bind(&ids).execute(&mut *connection).await?;
    let instances: Vec<(Vec<u8>, String, i32)> = sqlx::query_as(
        "select id, status, issued
         from instances
         where id = any($1)
         order by id
         for update",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let mut locked = HashMap::with_capacity(instances.len());
    for (id, status, issued) in instances {
        let status =
            InstanceStatus::parse(&status).ok_or_else(|| StoreError::Damaged(format!("status {status}")))?;
        locked.insert(
            read_id(&id)?,
            Locked { status, issued, own_issued: issued, paths: Vec::new(), mine: Vec::new() },
        );
    }
    let jobs: Vec<JobRow> = sqlx::query_as(lock_jobs).bind(&ids).fetch_all(&mut *connection).await?;
    for job in jobs {
        let Some(instance) = locked.get_mut(&read_id(&job.instance_id)?) else { continue };
        instance.issued = instance.issued.max(job.issued);
        if job.worker == Some(worker.0) {
            instance.mine.push((job.path, job.n));
        }
        instance.paths.push(Path {
            path: job.path,
            n: job.n,
            step: usize::try_from(job.step).unwrap_or(usize::MAX),
            scope: job.scope,
            place: if job.queued { Place::Queued } else { Place::Active },
            attempt: job.attempt,
            started_at: job.started_at,
        });
    }
    let waits: Vec<WaitRow> = sqlx::query_as(
        "select instance_id, path, n, step, scope, issued, attempt, kind, started_at
         from waits
         where instance_id = any($1)",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    for wait in waits {
        let Some(instance) = locked.get_mut(&read_id(&wait.instance_id)?) else { continue };
        instance.issued = instance.issued.max(wait.issued);
        instance.paths.push(Path {
            path: wait.path,
            n: wait.n,
            step: usize::try_from(wait.step).unwrap_or(usize::MAX),
            scope: wait.scope,
            place: if wait.kind == "body" { Place::Open } else { Place::Parked },
            attempt: wait.attempt,
            started_at: Some(wait.started_at),
        });
    }
    Ok(locked)
}

#[derive(sqlx::FromRow)]
struct JobRow {
    instance_id: Vec<u8>,
    path: i32,
    n: i32,
    step: i32,
    scope: Option<i32>,
    issued: i32,
    attempt: i32,
    queued: bool,
    worker: Option<i64>,
    started_at: Option<DateTime<Utc>>,
}

/// Waits that were just written take an event that was faster than they were (U-22).
async fn look_back(
    connection: &mut PgConnection,
    batch: &[&Completion],
    answers: &[Written],
) -> Result<bool, StoreError> {
    let mut endings: Vec<Ending> = Vec::new();
    for (completion, answer) in batch.iter().zip(answers) {
        let Some(awaited) = awaited(completion) else { continue };
        if matches!(answer, Written::Refused) {
            continue;
        }
        let job = &completion.job;
        if let Some(event) = events::look_back(&mut *connection, job, awaited).await? {
            endings.push(Ending {
                instance: job.instance,
                path: job.path.path,
                n: job.path.n,
                resume: Some(event),
            });
        }
    }
    Ok(!resume(connection, &endings).await?.is_empty())
}
