//! Suspend, resume, terminate.
//!
//! Suspending marks the instance's jobs as held: a running step finishes and its successor is written, but
//! nothing held is claimed. Resuming lifts the mark. Terminating takes the jobs and waits away: a running
//! step's result finds no row and is dropped. The workflows that its steps started are suspended, resumed and ended with
//! it, and a step of another one that waits for it is told its end.

use serde_json::Value;
use trunkline_workflow::advance::{LogEntry, cancel};
use trunkline_workflow::control::{Command, control};
use trunkline_workflow::path::{Path, Place};
use trunkline_workflow::{AccountId, DefinitionId, Graph, InstanceId, InstanceStatus, Version};

use crate::audit::{self, By};
use crate::definitions::{STEPS, VersionId};
use crate::dispatches::{self, live_children};
use crate::sealing::{self, Unlocked};
use crate::search::note_stopped;
use crate::transitions::append_log;
use crate::{PgConnection, Store, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controlled {
    Done {
        /// Somebody has a job to claim now.
        goes_on: bool,
    },
    NotFound,
    /// The command does not fit the status.
    Refused(InstanceStatus),
}

/// Deadlocks with a worker's batch are possible and rare; the database refuses one side.
const ATTEMPTS: usize = 5;

impl Store {
    /// Carries out a command (spec 5.5).
    pub async fn control(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        instance: InstanceId,
        command: Command,
        by: &By,
    ) -> Result<Controlled, StoreError> {
        for _ in 1..ATTEMPTS {
            match self.try_control(account, definition, instance, command, by).await {
                Err(error) if error.is_conflict() => {}
                answer => return answer,
            }
        }
        self.try_control(account, definition, instance, command, by).await
    }

    async fn try_control(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        instance: InstanceId,
        command: Command,
        by: &By,
    ) -> Result<Controlled, StoreError> {
        let unlocked = match command {
            // Not having them is no reason to go on.
            Command::Terminate => self.keys().await.ok(),
            Command::Suspend | Command::Resume => None,
        };
        let mut transaction = self.begin().await?;
        let target = Target { account, definition: Some(definition), instance };
        let controlled = control_within(&mut transaction, unlocked, &target, command, by, None).await?;
        if let Controlled::Done { goes_on } = controlled {
            transaction.commit().await?;
            if goes_on {
                self.wake.hint();
            }
        }
        Ok(controlled)
    }
}

/// The instance that a command is for.
pub(crate) struct Target<'a> {
    pub(crate) account: &'a AccountId,
    /// `None`: of any.
    pub(crate) definition: Option<DefinitionId>,
    pub(crate) instance: InstanceId,
}

/// Writes nothing unless it answers `Done`. `detail` is the audit's.
pub(crate) async fn control_within(
    connection: &mut PgConnection,
    unlocked: Option<Unlocked<'_>>,
    target: &Target<'_>,
    command: Command,
    by: &By,
    detail: Option<&Value>,
) -> Result<Controlled, StoreError> {
    let Target { account, definition, instance } = *target;
    let Some(found) = find_locked(&mut *connection, account, definition, instance).await? else {
        return Ok(Controlled::NotFound);
    };
    let Some(next) = control(found.status, command) else {
        return Ok(Controlled::Refused(found.status));
    };
    let mut goes_on = command == Command::Resume;
    match command {
        Command::Suspend | Command::Resume => {
            hold(&mut *connection, instance, command == Command::Suspend).await?;
            for child in live_children(&mut *connection, instance).await? {
                hold_child(&mut *connection, account, child, command).await?;
            }
        }
        Command::Terminate => {
            let graph = found.graph(unlocked);
            take_away(&mut *connection, instance, &graph).await?;
            for child in live_children(&mut *connection, instance).await? {
                terminate_child(&mut *connection, unlocked, account, child).await?;
            }
            goes_on = dispatches::cancelled(&mut *connection, account, instance).await?;
        }
    }
    set_status(&mut *connection, account, instance, next).await?;
    let action = format!("instance.{}", command.as_str());
    audit::note(connection, account, by, &action, &instance.to_string(), detail).await?;
    Ok(Controlled::Done { goes_on })
}

/// An instance, locked with its jobs.
struct FoundInstance<'a> {
    status: InstanceStatus,
    id: VersionId<'a>,
    /// As they are stored.
    steps: String,
}

impl FoundInstance<'_> {
    fn graph(&self, unlocked: Option<Unlocked<'_>>) -> Graph {
        read_graph(unlocked, self.id.place(STEPS), &self.steps)
    }
}

async fn find_locked<'a>(
    connection: &mut PgConnection,
    account: &'a AccountId,
    definition: Option<DefinitionId>,
    instance: InstanceId,
) -> Result<Option<FoundInstance<'a>>, StoreError> {
    lock_jobs(&mut *connection, instance).await?;
    let found: Option<(DefinitionId, String, Version, String)> = sqlx::query_as(
        "select i.definition_id, i.status, i.version, v.steps
         from instances i
         join definition_versions v on v.account_id = i.account_id
             and v.definition_id = i.definition_id and v.version = i.version and v.deleted_at is null
         where i.id = $1 and i.account_id = $2 and ($3::uuid is null or i.definition_id = $3)
         for update of i",
    )
    .bind(&instance.as_bytes()[..])
    .bind(account.as_str())
    .bind(definition)
    .fetch_optional(connection)
    .await?;
    let Some((definition, status, version, steps)) = found else { return Ok(None) };
    let status = InstanceStatus::parse(&status).ok_or_else(|| StoreError::Damaged(status.clone()))?;
    Ok(Some(FoundInstance { status, id: VersionId::new(account, definition, version), steps }))
}

async fn set_status(
    connection: &mut PgConnection,
    account: &AccountId,
    instance: InstanceId,
    status: InstanceStatus,
) -> Result<(), StoreError> {
    sqlx::query(
        "update instances
         set status = $2, completed_at = case when $3 then now() end
         where id = $1",
    )
    .bind(&instance.as_bytes()[..])
    .bind(status.as_str())
    .bind(status.is_final())
    .execute(&mut *connection)
    .await?;
    if status == InstanceStatus::Terminated {
        note_stopped(connection, account, instance).await?;
    }
    Ok(())
}

/// A workflow that a step of the instance started, which may have ended in between.
async fn terminate_child(
    connection: &mut PgConnection,
    unlocked: Option<Unlocked<'_>>,
    account: &AccountId,
    child: InstanceId,
) -> Result<(), StoreError> {
    let found = find_locked(&mut *connection, account, Some(dispatches::DEFINITION), child).await?;
    let Some(found) = found else { return Ok(()) };
    let Some(next) = control(found.status, Command::Terminate) else { return Ok(()) };
    take_away(&mut *connection, child, &found.graph(unlocked)).await?;
    set_status(&mut *connection, account, child, next).await?;
    // Nobody waits for it: the step that started it ends, too.
    dispatches::cancelled(connection, account, child).await?;
    Ok(())
}

/// An instance that was just made for one that is suspended.
pub(crate) async fn suspend_new(
    connection: &mut PgConnection,
    account: &AccountId,
    instance: InstanceId,
) -> Result<(), StoreError> {
    hold(&mut *connection, instance, true).await?;
    set_status(connection, account, instance, InstanceStatus::Suspended).await
}

/// Likewise: what its instance does not do, it does not do for it.
async fn hold_child(
    connection: &mut PgConnection,
    account: &AccountId,
    child: InstanceId,
    command: Command,
) -> Result<(), StoreError> {
    let found = find_locked(&mut *connection, account, Some(dispatches::DEFINITION), child).await?;
    let Some(next) = found.and_then(|found| control(found.status, command)) else { return Ok(()) };
    hold(&mut *connection, child, command == Command::Suspend).await?;
    set_status(connection, account, child, next).await
}

/// Steps that cannot be read have no names in the log, and are stopped all the same.
fn read_graph(unlocked: Option<Unlocked<'_>>, place: sealing::Place<'_>, steps: &str) -> Graph {
    let steps = unlocked.and_then(|unlocked| unlocked.unseal_or_plain(place, steps).ok());
    let steps = steps.and_then(|steps| serde_json::from_str(&steps).ok());
    Graph::new(&steps.unwrap_or_default())
}

async fn lock_jobs(connection: &mut PgConnection, instance: InstanceId) -> Result<(), StoreError> {
    sqlx::query("select from jobs where instance_id = $1 order by path for update")
        .bind(&instance.as_bytes()[..])
        .execute(connection)
        .await?;
    Ok(())
}

async fn hold(connection: &mut PgConnection, instance: InstanceId, held: bool) -> Result<(), StoreError> {
    sqlx::query(
        "update jobs
         set held = $2, ready_at = case when worker is null then now() else ready_at end
         where instance_id = $1",
    )
    .bind(&instance.as_bytes()[..])
    .bind(held)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends every open path; the log keeps them as `Cancelled`. The caller holds the instance's lock.
async fn take_away(
    connection: &mut PgConnection,
    instance: InstanceId,
    graph: &Graph,
) -> Result<(), StoreError> {
    type Row = (i32, i32, i32, Option<i32>, i32, Option<chrono::DateTime<chrono::Utc>>);
    let mut rows: Vec<Row> = sqlx::query_as(
        "delete from jobs where instance_id = $1 returning path, n, step, scope, attempt, started_at",
    )
    .bind(&instance.as_bytes()[..])
    .fetch_all(&mut *connection)
    .await?;
    let waits: Vec<Row> = sqlx::query_as(
        "delete from waits where instance_id = $1 returning path, n, step, scope, attempt, started_at",
    )
    .bind(&instance.as_bytes()[..])
    .fetch_all(&mut *connection)
    .await?;
    rows.extend(waits);
    let paths: Vec<Path> = rows
        .into_iter()
        .map(|(path, n, step, scope, attempt, started_at)| Path {
            path,
            n,
            step: usize::try_from(step).unwrap_or(usize::MAX),
            scope,
            place: Place::Parked,
            attempt,
            started_at,
        })
        .collect();
    let log: Vec<(InstanceId, LogEntry)> =
        cancel(graph, &paths).into_iter().map(|entry| (instance, entry)).collect();
    append_log(connection, &log).await
}
