//! What comes in from outside: written down once, then given to the waits and triggers that it matches.
//!
//! A message and the wait for it may cross: the message must see a wait that is being registered, and the
//! wait must see a message that is being written. Both take the lock of the correlation key first, so one
//! of them comes second and sees the other: the message finds the wait, or the wait looks back and finds
//! the message.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::postgres::PgConnection;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Trigger, context};

use crate::definitions::triggered_by;
use crate::jobs::LeasedJob;
use crate::starts::{self, NewInstance};
use crate::waits::{Ending, Resume, read_id, resume};
use crate::{Store, StoreError};

/// A message from a user, as the connector understood it.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub account: AccountId,
    /// The same for every delivery of the same message (spec 7.8).
    pub dedupe_key: String,
    pub trigger: Trigger,
    pub subaccount: Option<String>,
    /// Correlation keys, one per identity of the sender.
    pub keys: Vec<String>,
    /// The webhook as it came.
    pub body: Value,
    pub triggered_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// It had been received before; nothing was done.
    pub duplicate: bool,
    pub resumed: Vec<InstanceId>,
    pub started: Vec<InstanceId>,
}

impl Store {
    /// Writes the message down, resumes every wait that it matches (U-18), then starts instances of every
    /// definition that it triggers, but for those that had an instance resumed (spec 6.5). One transaction.
    pub async fn receive(&self, incoming: Incoming) -> Result<Received, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let account = incoming.account.as_str();
        let body = incoming.body.to_string();
        let event: Option<i64> = sqlx::query_scalar(
            "insert into events (account_id, dedupe_key, trigger, body)
             values ($1, $2, $3, $4)
             on conflict do nothing
             returning id",
        )
        .bind(account)
        .bind(&incoming.dedupe_key)
        .bind(incoming.trigger.as_str())
        .bind(&body)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(event) = event else {
            return Ok(Received { duplicate: true, ..Received::default() });
        };
        let locks: Vec<String> = incoming.keys.iter().map(|key| lock_name(&incoming.account, key)).collect();
        lock_keys(&mut transaction, &locks).await?;
        sqlx::query(
            "insert into event_keys (account_id, key, event_id, received_at)
             select distinct $1, key, $2::bigint, now()
             from unnest($3::text[]) as key",
        )
        .bind(account)
        .bind(event)
        .bind(&incoming.keys)
        .execute(&mut *transaction)
        .await?;
        let resumed = resume_matching(&mut transaction, &incoming, body).await?;
        let subaccount = incoming.subaccount.as_deref();
        let triggered =
            triggered_by(&mut *transaction, &incoming.account, incoming.trigger, subaccount).await?;
        let resumed_definitions: HashSet<DefinitionId> = resumed.iter().map(|(_, id)| *id).collect();
        let instances: Vec<NewInstance> = triggered
            .into_iter()
            .filter(|triggered| !resumed_definitions.contains(&triggered.definition))
            .map(|triggered| NewInstance {
                account: incoming.account.clone(),
                definition: triggered.definition,
                version: triggered.version,
                data: context::build(
                    incoming.body.clone(),
                    &incoming.account,
                    subaccount,
                    incoming.triggered_at,
                ),
            })
            .collect();
        let started_definitions: Vec<DefinitionId> = instances.iter().map(|i| i.definition).collect();
        let rows = starts::Rows::new(instances);
        starts::write(&mut *transaction, &rows).await?;
        let started: Vec<(InstanceId, DefinitionId)> =
            rows.ids.iter().copied().zip(started_definitions).collect();
        note_uses(&mut transaction, event, &resumed, false).await?;
        note_uses(&mut transaction, event, &started, true).await?;
        transaction.commit().await?;
        if !(resumed.is_empty() && started.is_empty()) {
            self.wake.hint();
        }
        let ids = |pairs: Vec<(InstanceId, DefinitionId)>| pairs.into_iter().map(|(id, _)| id).collect();
        Ok(Received { duplicate: false, resumed: ids(resumed), started: ids(started) })
    }
}

/// The name under which a correlation key is locked.
pub(crate) fn lock_name(account: &AccountId, key: &str) -> String {
    format!("{account}/{key}")
}

/// Locks keys until the transaction ends, in one order for everybody.
pub(crate) async fn lock_keys(connection: &mut PgConnection, names: &[String]) -> Result<(), StoreError> {
    if names.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "select pg_advisory_xact_lock(hash)
         from (
             select distinct hashtextextended(name, 0) as hash
             from unnest($1::text[]) as name
             order by 1
         ) as names",
    )
    .bind(names)
    .execute(connection)
    .await?;
    Ok(())
}

async fn resume_matching(
    connection: &mut PgConnection,
    incoming: &Incoming,
    body: String,
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    let waits: Vec<(Vec<u8>, i32, i32)> = sqlx::query_as(
        "select instance_id, path, n
         from waits
         where account_id = $1 and key = any($2) and due_at > now()",
    )
    .bind(incoming.account.as_str())
    .bind(&incoming.keys)
    .fetch_all(&mut *connection)
    .await?;
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let instances: Vec<(Vec<u8>, DefinitionId)> = sqlx::query_as(
        "select id, definition_id
         from instances
         where id = any($1)
         order by id
         for update",
    )
    .bind(waits.iter().map(|(id, ..)| id.as_slice()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let event = RawValue::from_string(body).map_err(|error| StoreError::Damaged(error.to_string()))?;
    let text = Resume::Event(event).to_text();
    let endings: Vec<Ending> = waits
        .iter()
        .map(|(id, path, n)| {
            Ok(Ending { instance: read_id(id)?, path: *path, n: *n, resume: Some(text.clone()) })
        })
        .collect::<Result<_, StoreError>>()?;
    let resumed: HashSet<InstanceId> = resume(connection, &endings).await?.into_iter().collect();
    let mut answer = Vec::with_capacity(resumed.len());
    for (id, definition) in instances {
        let id = read_id(&id)?;
        if resumed.contains(&id) {
            answer.push((id, definition));
        }
    }
    Ok(answer)
}

async fn note_uses(
    connection: &mut PgConnection,
    event: i64,
    uses: &[(InstanceId, DefinitionId)],
    started: bool,
) -> Result<(), StoreError> {
    if uses.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into event_uses (event_id, instance_id, definition_id, started)
         select $1, instance_id, definition_id, $4
         from unnest($2::bytea[], $3::uuid[]) as t (instance_id, definition_id)
         on conflict do nothing",
    )
    .bind(event)
    .bind(uses.iter().map(|(id, _)| &id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(uses.iter().map(|(_, definition)| *definition).collect::<Vec<_>>())
    .bind(started)
    .execute(connection)
    .await?;
    Ok(())
}

/// The oldest matching message since the previous step of the instance started that neither it nor, as a
/// start, its definition has used (spec 6.5). The caller holds the lock of the key.
pub(crate) async fn look_back(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let found: Option<(i64, String)> = sqlx::query_as(
        "select e.id, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2
             and k.received_at > coalesce(
                 (select started_at from steps where instance_id = $3 and n < $5 order by n desc limit 1),
                 (select started_at from instances where id = $3)
             )
             and not exists (
                 select from event_uses u
                 where u.event_id = e.id
                     and (u.instance_id = $3 or (u.started and u.definition_id = $4))
             )
         order by k.received_at, e.id
         limit 1",
    )
    .bind(job.account.as_str())
    .bind(key)
    .bind(&job.instance.as_bytes()[..])
    .bind(job.definition)
    .bind(job.path.n)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((event, body)) = found else { return Ok(None) };
    note_uses(connection, event, &[(job.instance, job.definition)], false).await?;
    let event = RawValue::from_string(body).map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(Some(Resume::Event(event).to_text()))
}
