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
use trunkline_workflow::outcome::{Awaited, AwaitedEvent};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Trigger, context};

use crate::definitions::triggered_by;
use crate::jobs::LeasedJob;
use crate::messages::{self, Call, Receipt};
use crate::starts::{self, NewInstance};
use crate::usage::quota_left;
use crate::waits::{Ending, Resume, read_id, resume};
use crate::{Store, StoreError};

/// An event, as the connector understood it.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub account: AccountId,
    /// The same for every delivery of the same event (spec 7.8).
    pub dedupe_key: String,
    pub kind: EventKind,
    pub subaccount: Option<String>,
    /// Correlation keys, one per identity.
    pub keys: Vec<String>,
    /// The webhook as it came; of key presses what a workflow is to see.
    pub body: Value,
    pub received_at: DateTime<Utc>,
    pub recipients: Recipients,
}

#[derive(Debug, Clone)]
pub enum EventKind {
    /// A message from a user: `InboundSms` or `InboundChatApps`.
    Message(Trigger),
    /// What became of a message or call of ours. `trigger`: whether it may start instances.
    Receipt { receipt: Receipt, trigger: Option<Trigger> },
    /// Keys pressed in a call (spec 7.7).
    Keys,
}

/// Which of several waits for the same event goes on (U-18).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recipients {
    #[default]
    All,
    /// The one that began last.
    Newest,
}

impl EventKind {
    fn trigger(&self) -> Option<Trigger> {
        match self {
            Self::Message(trigger) => Some(*trigger),
            Self::Receipt { trigger, .. } => *trigger,
            Self::Keys => None,
        }
    }

    fn state(&self) -> Option<&str> {
        match self {
            Self::Receipt { receipt, .. } => Some(&receipt.state),
            Self::Message(_) | Self::Keys => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// It had been received before; nothing was done.
    pub duplicate: bool,
    pub resumed: Vec<InstanceId>,
    pub started: Vec<InstanceId>,
}

impl Store {
    /// Writes the event down, resumes every wait that it matches (U-18), then starts instances of every
    /// definition that it triggers, but for those that had an instance resumed (spec 6.5). One transaction.
    pub async fn receive(&self, mut incoming: Incoming) -> Result<Received, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if let EventKind::Keys = incoming.kind {
            // What the call is known by must be looked up under the lock: it may be written at this moment.
            lock_keys(&mut transaction, &lock_names(&incoming.account, &incoming.keys)).await?;
            add_call_ids(&mut transaction, &mut incoming).await?;
        }
        let account = incoming.account.as_str();
        let body = incoming.body.to_string();
        let trigger = incoming.kind.trigger();
        let event: Option<i64> = sqlx::query_scalar(
            "insert into events (account_id, dedupe_key, trigger, state, body)
             values ($1, $2, $3, $4, $5)
             on conflict do nothing
             returning id",
        )
        .bind(account)
        .bind(&incoming.dedupe_key)
        .bind(trigger.map(Trigger::as_str))
        .bind(incoming.kind.state())
        .bind(&body)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(event) = event else {
            return Ok(Received { duplicate: true, ..Received::default() });
        };
        if let EventKind::Receipt { receipt, .. } = &incoming.kind {
            messages::record_receipt(&mut transaction, &incoming.account, receipt, &body).await?;
        }
        lock_keys(&mut transaction, &lock_names(&incoming.account, &incoming.keys)).await?;
        note_keys(&mut transaction, &incoming.account, event, &incoming.keys).await?;
        let resumed = resume_matching(&mut transaction, &incoming, body).await?;
        let started = start_triggered(&mut transaction, &incoming, trigger, &resumed).await?;
        note_uses(&mut transaction, event, &resumed, false).await?;
        note_uses(&mut transaction, event, &started, true).await?;
        transaction.commit().await?;
        if !(resumed.is_empty() && started.is_empty()) {
            self.wake.hint();
        }
        let ids = |pairs: Vec<(InstanceId, DefinitionId)>| pairs.into_iter().map(|(id, _)| id).collect();
        Ok(Received { duplicate: false, resumed: ids(resumed), started: ids(started) })
    }

    /// The call is over: what waits for its keys goes on without them (U-27).
    pub async fn end_waits_for_keys(
        &self,
        account: &AccountId,
        mut keys: Vec<String>,
    ) -> Result<usize, StoreError> {
        let mut transaction = self.pool.begin().await?;
        lock_keys(&mut transaction, &lock_names(account, &keys)).await?;
        let call = messages::find_call(&mut transaction, account, &keys).await?;
        keys.extend(call.iter().flat_map(Call::keys));
        let waits = find_waits(&mut transaction, account, &keys, None, Recipients::All).await?;
        lock_instances(&mut transaction, &waits).await?;
        let endings: Vec<Ending> = waits
            .into_iter()
            .map(|(instance, path, n)| Ending { instance, path, n, resume: Some(Resume::Due.to_text()) })
            .collect();
        let count = resume(&mut transaction, &endings).await?.len();
        transaction.commit().await?;
        if count > 0 {
            self.wake.hint();
        }
        Ok(count)
    }
}

/// Instances of every definition that the event triggers, but for those that had an instance resumed.
async fn start_triggered(
    connection: &mut PgConnection,
    incoming: &Incoming,
    trigger: Option<Trigger>,
    resumed: &[(InstanceId, DefinitionId)],
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    let Some(trigger) = trigger else { return Ok(Vec::new()) };
    let subaccount = incoming.subaccount.as_deref();
    let triggered = triggered_by(&mut *connection, &incoming.account, trigger, subaccount).await?;
    if triggered.is_empty() || !quota_left(&mut *connection, &incoming.account).await? {
        return Ok(Vec::new());
    }
    let resumed: HashSet<DefinitionId> = resumed.iter().map(|(_, id)| *id).collect();
    let instances: Vec<NewInstance> = triggered
        .into_iter()
        .filter(|triggered| !resumed.contains(&triggered.definition))
        .map(|triggered| NewInstance {
            account: incoming.account.clone(),
            definition: triggered.definition,
            version: triggered.version,
            data: context::build(incoming.body.clone(), &incoming.account, subaccount, incoming.received_at),
        })
        .collect();
    let definitions: Vec<DefinitionId> = instances.iter().map(|instance| instance.definition).collect();
    let rows = starts::Rows::new(instances);
    starts::write(connection, &rows).await?;
    Ok(rows.ids.iter().copied().zip(definitions).collect())
}

/// An event about a call is also found under the other id of the call, and says it.
async fn add_call_ids(connection: &mut PgConnection, incoming: &mut Incoming) -> Result<(), StoreError> {
    let Some(call) = messages::find_call(connection, &incoming.account, &incoming.keys).await? else {
        return Ok(());
    };
    for key in call.keys() {
        if !incoming.keys.contains(&key) {
            incoming.keys.push(key);
        }
    }
    if let (Some(id), Some(body)) = (call.client_id, incoming.body.as_object_mut()) {
        body.entry("clientRequestId").or_insert(Value::String(id));
    }
    Ok(())
}

/// The names under which correlation keys are locked.
fn lock_names(account: &AccountId, keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| lock_name(account, key)).collect()
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

async fn note_keys(
    connection: &mut PgConnection,
    account: &AccountId,
    event: i64,
    keys: &[String],
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into event_keys (account_id, key, event_id, received_at)
         select distinct $1, key, $2::bigint, now()
         from unnest($3::text[]) as key",
    )
    .bind(account.as_str())
    .bind(event)
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}

/// A wait that was found: instance, path, number of the job.
type Found = (InstanceId, i32, i32);

async fn find_waits(
    connection: &mut PgConnection,
    account: &AccountId,
    keys: &[String],
    state: Option<&str>,
    recipients: Recipients,
) -> Result<Vec<Found>, StoreError> {
    let waits: Vec<(Vec<u8>, i32, i32)> = sqlx::query_as(
        "select instance_id, path, n
         from waits
         where account_id = $1 and key = any($2) and due_at > now()
             and (accepts is null or $3 = any(accepts))
         order by started_at desc, instance_id desc, path desc
         limit $4",
    )
    .bind(account.as_str())
    .bind(keys)
    .bind(state)
    .bind(match recipients {
        Recipients::All => None,
        Recipients::Newest => Some(1_i64),
    })
    .fetch_all(connection)
    .await?;
    waits.into_iter().map(|(id, path, n)| Ok((read_id(&id)?, path, n))).collect()
}

/// Locks the instances of waits, in order; what they are of.
async fn lock_instances(
    connection: &mut PgConnection,
    waits: &[Found],
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    let instances: Vec<(Vec<u8>, DefinitionId)> = sqlx::query_as(
        "select id, definition_id
         from instances
         where id = any($1)
         order by id
         for update",
    )
    .bind(waits.iter().map(|(id, ..)| &id.as_bytes()[..]).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    instances.into_iter().map(|(id, definition)| Ok((read_id(&id)?, definition))).collect()
}

async fn resume_matching(
    connection: &mut PgConnection,
    incoming: &Incoming,
    body: String,
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    let Incoming { account, keys, kind, recipients, .. } = incoming;
    let waits = find_waits(connection, account, keys, kind.state(), *recipients).await?;
    resume_with(connection, &waits, body).await
}

/// Ends the waits with an event. Answers the instances that really waited.
async fn resume_with(
    connection: &mut PgConnection,
    waits: &[Found],
    body: String,
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let instances = lock_instances(connection, waits).await?;
    let text = resume_text(body)?;
    let endings: Vec<Ending> = waits
        .iter()
        .map(|&(instance, path, n)| Ending { instance, path, n, resume: Some(text.clone()) })
        .collect();
    let resumed: HashSet<InstanceId> = resume(connection, &endings).await?.into_iter().collect();
    Ok(instances.into_iter().filter(|(id, _)| resumed.contains(id)).collect())
}

fn resume_text(body: String) -> Result<String, StoreError> {
    let event = RawValue::from_string(body).map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(Resume::Event(event).to_text())
}

/// A call was just written down: keys that were pressed before are found under all of its ids from now on,
/// by waits that began already too. The caller holds the lock of the first of `keys`.
pub(crate) async fn adopt_early_keys(
    connection: &mut PgConnection,
    account: &AccountId,
    keys: &[String],
) -> Result<usize, StoreError> {
    let events: Vec<(i64, String)> = sqlx::query_as(
        "select distinct e.id, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = any($2) and k.received_at > now() - interval '24 hours'
             and not exists (select from event_uses u where u.event_id = e.id)
         order by e.id",
    )
    .bind(account.as_str())
    .bind(keys)
    .fetch_all(&mut *connection)
    .await?;
    if events.is_empty() {
        return Ok(0);
    }
    lock_keys(connection, &lock_names(account, keys)).await?;
    sqlx::query(
        "insert into event_keys (account_id, key, event_id, received_at)
         select distinct k.account_id, other, k.event_id, k.received_at
         from event_keys k
         cross join unnest($2::text[]) as other
         where k.account_id = $1 and k.key = any($2)
         on conflict do nothing",
    )
    .bind(account.as_str())
    .bind(keys)
    .execute(&mut *connection)
    .await?;
    let mut count = 0;
    for (event, body) in events {
        let waits = find_waits(connection, account, keys, None, Recipients::All).await?;
        let resumed = resume_with(connection, &waits, body).await?;
        note_uses(connection, event, &resumed, false).await?;
        count += resumed.len();
    }
    Ok(count)
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

/// An event that came before the wait for it. The caller holds the lock of the key.
pub(crate) async fn look_back(
    connection: &mut PgConnection,
    job: &LeasedJob,
    awaited: &Awaited,
) -> Result<Option<String>, StoreError> {
    let found: Option<(i64, String)> = match &awaited.event {
        AwaitedEvent::Reply => earlier_reply(connection, job, &awaited.key).await?,
        AwaitedEvent::Dtmf => earlier_keys(connection, job, &awaited.key).await?,
        AwaitedEvent::Receipt { states } => earlier_receipt(connection, job, &awaited.key, states).await?,
    };
    let Some((event, body)) = found else { return Ok(None) };
    note_uses(connection, event, &[(job.instance, job.definition)], false).await?;
    resume_text(body).map(Some)
}

/// The oldest matching message since the previous step of the instance started that neither it nor, as a
/// start, its definition has used (spec 6.5).
async fn earlier_reply(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
) -> Result<Option<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(
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
    .fetch_optional(connection)
    .await?)
}

/// The oldest key presses of the call that nobody has used, of the last day (U-25, U-26).
async fn earlier_keys(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
) -> Result<Option<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2 and k.received_at > now() - interval '24 hours'
             and not exists (select from event_uses u where u.event_id = e.id)
         order by k.received_at, e.id
         limit 1",
    )
    .bind(job.account.as_str())
    .bind(key)
    .fetch_optional(connection)
    .await?)
}

/// The newest receipt of the message with one of these states.
async fn earlier_receipt(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
    states: &[String],
) -> Result<Option<(i64, String)>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2 and e.state = any($3)
         order by k.received_at desc, e.id desc
         limit 1",
    )
    .bind(job.account.as_str())
    .bind(key)
    .bind(states)
    .fetch_optional(connection)
    .await?)
}
