//! What comes in from outside: written down once, then given to the waits and triggers that it matches.
//!
//! A message and the wait for it may cross: the message must see a wait that is being registered, and the
//! wait must see a message that is being written. Both take the lock of the correlation key first, so one
//! of them comes second and sees the other: the message finds the wait, or the wait looks back and finds
//! the message.

mod look_back;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_json::value::RawValue;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Trigger, context};

use crate::callbacks::{self, NewCallback};
use crate::definitions::triggered_by;
use crate::messages::{self, Receipt, StatusReceipt};
use crate::starts::{self, NewInstance, StartContext};
use crate::usage::starts_left;
use crate::waits::{Ending, Resume, read_id, resume};
use crate::{PgConnection, Store, StoreError};

pub(crate) use look_back::look_back;

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
    /// Who is told of it, in the same transaction.
    pub callback: Option<Box<NewCallback>>,
}

#[derive(Debug, Clone)]
pub enum EventKind {
    /// A message from a user: `InboundSms` or `InboundChatApps`.
    Message(Trigger),
    /// What became of a message or call of ours. `trigger`: whether it may start instances.
    Receipt { receipt: Receipt, trigger: Option<Trigger> },
    /// What became of a message of the Workflows API.
    Status(StatusReceipt),
    /// Keys pressed in a call (spec 7.7).
    Keys,
    /// The call is over, and what waits for keys of it shall go on without them (U-27).
    CallEnded,
    /// A workflow that a step started is over, and how.
    DispatchEnded(&'static str),
}

/// The state of [`EventKind::CallEnded`].
const CALL_ENDED: &str = "call_ended";

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
            Self::Status(_) | Self::Keys | Self::CallEnded | Self::DispatchEnded(_) => None,
        }
    }

    fn state(&self) -> Option<&str> {
        match self {
            Self::Receipt { receipt, .. } | Self::Status(StatusReceipt { receipt, .. }) => {
                Some(&receipt.state)
            }
            Self::CallEnded => Some(CALL_ENDED),
            Self::DispatchEnded(how) => Some(how),
            Self::Message(_) | Self::Keys => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// It had been received before, or is worth nothing any more; nothing was done.
    pub duplicate: bool,
    pub resumed: Vec<InstanceId>,
    pub started: Vec<InstanceId>,
}

impl Store {
    /// Writes the event down, resumes every wait that it matches (U-18), then starts instances of every
    /// definition that it triggers, but for those that had an instance resumed (spec 6.5). One transaction,
    /// repeated when it met another one head-on.
    pub async fn receive(&self, incoming: Incoming) -> Result<Received, StoreError> {
        const ATTEMPTS: u32 = 3;
        let mut attempt = 1;
        loop {
            match self.try_receive(&incoming).await {
                Err(error) if error.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    async fn try_receive(&self, incoming: &Incoming) -> Result<Received, StoreError> {
        let mut transaction = self.begin().await?;
        let received = receive_within(&mut transaction, incoming).await?;
        transaction.commit().await?;
        if !(received.resumed.is_empty() && received.started.is_empty()) {
            self.wake.hint();
        }
        if incoming.callback.is_some() && !received.duplicate {
            self.callback_wake.hint();
        }
        Ok(received)
    }
}

/// [`Store::receive`], in a transaction of the caller's, who gives the hint that there is work.
pub(crate) async fn receive_within(
    connection: &mut PgConnection,
    incoming: &Incoming,
) -> Result<Received, StoreError> {
    let of_call;
    let incoming = match &incoming.kind {
        EventKind::Keys | EventKind::CallEnded => {
            // What the call is known by must be looked up under the lock: it may be written at this moment.
            lock_keys(&mut *connection, &lock_names(&incoming.account, &incoming.keys)).await?;
            of_call = with_call_ids(&mut *connection, incoming.clone()).await?;
            &of_call
        }
        EventKind::Status(status) => {
            // Before the event is written: two that speak of one message lock in the same order.
            if !messages::lock_for_status(&mut *connection, &incoming.account, status).await? {
                return Ok(Received { duplicate: true, ..Received::default() });
            }
            incoming
        }
        EventKind::Message(_) | EventKind::Receipt { .. } | EventKind::DispatchEnded(_) => incoming,
    };
    let account = incoming.account.as_str();
    let body = incoming.body.to_string();
    let trigger = incoming.kind.trigger();
    let event: Option<i64> = sqlx::query_scalar(
        "insert into events (account_id, dedupe_key, trigger, state, exclusive, body)
             values ($1, $2, $3, $4, $5, $6)
             on conflict do nothing
             returning id",
    )
    .bind(account)
    .bind(&incoming.dedupe_key)
    .bind(trigger.map(Trigger::as_str))
    .bind(incoming.kind.state())
    .bind(incoming.recipients == Recipients::Newest)
    .bind(&body)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(event) = event else {
        return Ok(Received { duplicate: true, ..Received::default() });
    };
    match &incoming.kind {
        EventKind::Receipt { receipt, .. } => {
            messages::record_receipt(&mut *connection, &incoming.account, receipt, &body).await?;
        }
        EventKind::Status(status) => {
            messages::record_status(&mut *connection, &incoming.account, status, &body).await?;
        }
        _ => {}
    }
    lock_keys(&mut *connection, &lock_names(&incoming.account, &incoming.keys)).await?;
    note_keys(&mut *connection, &incoming.account, event, &incoming.keys).await?;
    if let Some(callback) = &incoming.callback {
        callbacks::enqueue(&mut *connection, callback).await?;
    }
    let resumed = resume_matching(&mut *connection, incoming, body).await?;
    let started = start_triggered(&mut *connection, incoming, trigger, &resumed).await?;
    note_uses(&mut *connection, event, &resumed, false).await?;
    note_uses(&mut *connection, event, &started, true).await?;
    let ids = |pairs: Vec<(InstanceId, DefinitionId)>| pairs.into_iter().map(|(id, _)| id).collect();
    Ok(Received { duplicate: false, resumed: ids(resumed), started: ids(started) })
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
    if triggered.is_empty() {
        return Ok(Vec::new());
    }
    // As for starts by hand, the last start that is left is enough for all.
    if starts_left(&mut *connection, &incoming.account).await? == 0 {
        return Ok(Vec::new());
    }
    let resumed: HashSet<DefinitionId> = resumed.iter().map(|(_, id)| *id).collect();
    let data = context::build(incoming.body.clone(), &incoming.account, subaccount, incoming.received_at);
    let data = StartContext::from(data);
    let instances: Vec<NewInstance> = triggered
        .into_iter()
        .filter(|triggered| !resumed.contains(&triggered.definition))
        .map(|triggered| NewInstance {
            account: incoming.account.clone(),
            definition: triggered.definition,
            version: triggered.version,
            data: data.clone(),
        })
        .collect();
    let definitions: Vec<DefinitionId> = instances.iter().map(|instance| instance.definition).collect();
    let rows = starts::Rows::new(instances);
    starts::write(connection, &rows).await?;
    Ok(rows.ids.iter().copied().zip(definitions).collect())
}

/// An event about a call is also found under the other id of the call, and says it.
async fn with_call_ids(
    connection: &mut PgConnection,
    mut incoming: Incoming,
) -> Result<Incoming, StoreError> {
    let Some(call) = messages::find_call(connection, &incoming.account, &incoming.keys).await? else {
        return Ok(incoming);
    };
    for key in call.keys() {
        if !incoming.keys.contains(&key) {
            incoming.keys.push(key);
        }
    }
    if let Some(id) = &call.client_id {
        say_client_id(&mut incoming.body, id);
    }
    Ok(incoming)
}

fn say_client_id(body: &mut Value, id: &str) {
    if let Some(members) = body.as_object_mut() {
        members.entry("clientRequestId").or_insert_with(|| id.into());
    }
}

/// The names under which correlation keys are locked.
fn lock_names(account: &AccountId, keys: &[String]) -> Vec<String> {
    keys.iter().map(|key| lock_name(account, key)).collect()
}

/// The name under which a correlation key is locked.
pub(crate) fn lock_name(account: &AccountId, key: &str) -> String {
    format!("{account}/{key}")
}

/// Locks keys until the transaction ends, those of one call in one order for everybody. Who learns a second key
/// under the lock of the first may meet somebody head-on, and begins anew.
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

/// By the index `waits_of_key`, key by key: $1 account, $2 keys, $3 state of a receipt. `offset 0` keeps the planner from
/// asking others for help, which takes longer than the answer, as long as it has not counted the hashes; `coalesce` from
/// the index that begins with the account. A test pins the plan.
pub const FIND_WAITS: &str = "
select w.instance_id, w.path, w.n
from (select distinct key from unnest($2::text[]) as key) as wanted
cross join lateral (
    select instance_id, path, n, started_at
    from waits
    where hashtextextended(key, hashtextextended(account_id, 0))
            = hashtextextended(wanted.key, hashtextextended($1, 0))
        and key = wanted.key and coalesce(account_id, '') = $1 and (due_at > now() or kind = 'receipt')
        and (accepts is null or $3 = any(accepts))
    offset 0
) as w
order by w.started_at desc, w.instance_id desc, w.path desc";

/// Those that began last first. What became of a message counts until its deadline is acted on (Dispatch 8.3), an
/// answer of a user until the deadline itself.
async fn find_waits(
    connection: &mut PgConnection,
    account: &AccountId,
    keys: &[String],
    state: Option<&str>,
) -> Result<Vec<Found>, StoreError> {
    let waits: Vec<(Vec<u8>, i32, i32)> = sqlx::query_as(FIND_WAITS)
        .bind(account.as_str())
        .bind(keys)
        .bind(state)
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
    let waits = find_waits(connection, account, keys, kind.state()).await?;
    let ending = match kind {
        EventKind::CallEnded => Resume::Due.to_text(),
        _ => resume_text(body)?,
    };
    match recipients {
        Recipients::All => resume_with(connection, &waits, &ending).await,
        Recipients::Newest => {
            // The newest may end in this moment for another reason.
            for wait in waits {
                let resumed = resume_with(connection, &[wait], &ending).await?;
                if !resumed.is_empty() {
                    return Ok(resumed);
                }
            }
            Ok(Vec::new())
        }
    }
}

/// Ends the waits. Answers the instances that really waited.
async fn resume_with(
    connection: &mut PgConnection,
    waits: &[Found],
    ending: &str,
) -> Result<Vec<(InstanceId, DefinitionId)>, StoreError> {
    if waits.is_empty() {
        return Ok(Vec::new());
    }
    let instances = lock_instances(connection, waits).await?;
    let endings: Vec<Ending> = waits
        .iter()
        .map(|&(instance, path, n)| Ending { instance, path, n, resume: Some(ending.to_owned()) })
        .collect();
    let resumed: HashSet<InstanceId> = resume(connection, &endings).await?.into_iter().collect();
    Ok(instances.into_iter().filter(|(id, _)| resumed.contains(id)).collect())
}

fn resume_text(body: String) -> Result<String, StoreError> {
    let event = RawValue::from_string(body).map_err(|error| StoreError::Damaged(error.to_string()))?;
    Ok(Resume::Event(event).to_text())
}

/// A call was just written down under the lock of its keys. Keys that were pressed in it before are found
/// under the client's id too from now on, by a wait that began already as well; and what is left of an earlier
/// call with the same client's id is nothing for this one.
pub(crate) async fn adopt_early_keys(
    connection: &mut PgConnection,
    account: &AccountId,
    call_key: &str,
    (client_id, client_key): (&str, &str),
) -> Result<usize, StoreError> {
    sqlx::query(
        "delete from event_keys k
         where k.account_id = $1 and k.key = $3
             and not exists (
                 select from event_keys o
                 where o.account_id = $1 and o.key = $2 and o.event_id = k.event_id
             )
             and (
                 exists (select from events e where e.id = k.event_id and e.state is not null)
                 or not exists (select from event_uses u where u.event_id = k.event_id)
             )",
    )
    .bind(account.as_str())
    .bind(call_key)
    .bind(client_key)
    .execute(&mut *connection)
    .await?;
    let events: Vec<(i64, Option<String>, String)> = sqlx::query_as(
        "select e.id, e.state, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2 and k.received_at > now() - interval '24 hours'
             and not exists (
                 select from event_keys o
                 where o.account_id = $1 and o.key = $3 and o.event_id = k.event_id
             )
             and not exists (select from event_uses u where u.event_id = e.id)
         order by e.state nulls first, e.id",
    )
    .bind(account.as_str())
    .bind(call_key)
    .bind(client_key)
    .fetch_all(&mut *connection)
    .await?;
    let mut first = None;
    for (event, state, body) in events {
        let mut body: Value =
            serde_json::from_str(&body).map_err(|error| StoreError::Damaged(error.to_string()))?;
        say_client_id(&mut body, client_id);
        let body = body.to_string();
        sqlx::query("update events set body = $2 where id = $1")
            .bind(event)
            .bind(&body)
            .execute(&mut *connection)
            .await?;
        note_keys(connection, account, event, &[client_key.to_owned()]).await?;
        first.get_or_insert((event, state, body));
    }
    let Some((event, state, body)) = first else { return Ok(0) };
    let keys = [call_key.to_owned(), client_key.to_owned()];
    let waits = find_waits(connection, account, &keys, None).await?;
    let resumed = resume_with(connection, &waits, &ending_of(state.as_deref(), body)?).await?;
    if state.is_none() {
        note_uses(connection, event, &resumed, false).await?;
    }
    Ok(resumed.len())
}

/// What an event that came before means to a wait for keys.
fn ending_of(state: Option<&str>, body: String) -> Result<String, StoreError> {
    if state == Some(CALL_ENDED) { Ok(Resume::Due.to_text()) } else { resume_text(body) }
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
