//! What became of the messages and calls that we sent (spec 6.6, 7.6.4, 8.4.4).
//!
//! Two sides write a row, in any order: the worker when the provider took the message ([`Store::record_sent`]),
//! and receipts ([`record_receipt`]). Each fills in its own columns; the state is the one of the highest rank.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use trunkline_workflow::{AccountId, JobId};

use crate::events::{self, Incoming, lock_keys, lock_name};
use crate::{PgConnection, Store, StoreError};

/// The channel of calls.
pub const VOICE: &str = "voice";

/// A message or call that a provider took.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The provider's id: `umid` of a message, session or `uid` of a call.
    pub id: String,
    /// `sms`, `whatsapp`, …, or [`VOICE`]; `None`: not known yet.
    pub channel: Option<String>,
    /// As in receipts.
    pub state: String,
    pub rank: i32,
    pub call: Option<SentCall>,
    /// What a receipt would say, when the answer to the send was final already.
    pub reported: Option<Box<Incoming>>,
}

/// What key presses of a call are matched by.
#[derive(Debug, Clone)]
pub struct SentCall {
    /// The correlation key of the provider's id.
    pub key: String,
    pub client_request_id: Option<String>,
    /// The correlation key of `client_request_id`.
    pub client_key: Option<String>,
    pub destination: Option<String>,
}

/// What a delivery receipt or a session summary says.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub id: String,
    pub channel: Option<String>,
    pub state: String,
    /// Orders the states of a message's life: a lower rank never replaces a higher one.
    pub rank: i32,
    pub detail: Option<String>,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub changed_at: DateTime<Utc>,
}

/// A status of a message of the Workflows API.
#[derive(Debug, Clone)]
pub struct StatusReceipt {
    pub receipt: Receipt,
    /// In euros.
    pub price: Option<String>,
    pub provider_id: Option<String>,
    pub basis: Basis,
}

/// On what somebody says that a message has a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The provider said so, or we know it ourselves.
    Known,
    /// Nobody has said anything. It is worth nothing once somebody has.
    Silence,
}

/// The state of a message that nobody has said anything about.
pub(crate) const STARTED: &str = "started";

/// A call as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Call {
    #[sqlx(rename = "call_key")]
    key: Option<String>,
    client_key: Option<String>,
    pub(crate) client_id: Option<String>,
    /// No later call has the client's id.
    newest: bool,
}

impl Call {
    /// The correlation keys of the call. The client's own is the one of its newest call: who waits for a later
    /// call under the same id is not meant.
    pub(crate) fn keys(&self) -> impl Iterator<Item = String> {
        let client_key = self.client_key.as_ref().filter(|_| self.newest);
        self.key.iter().chain(client_key).cloned()
    }
}

/// A message's or call's last known state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MessageState {
    pub umid: String,
    pub channel: Option<String>,
    pub state: String,
    pub detail: Option<String>,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub changed_at: DateTime<Utc>,
    /// Who sent it, when that is known.
    pub instance_id: Option<Vec<u8>>,
    pub n: Option<i32>,
    /// The newest receipt or session summary, as JSON text.
    pub report: Option<String>,
}

impl Store {
    /// Writes down what a provider took from a job. Receipts may have come before (they are joined here), and
    /// of a call even the keys that were pressed in it.
    pub async fn record_sent(&self, account: &AccountId, job: JobId, sent: &Sent) -> Result<(), StoreError> {
        let Some(call) = &sent.call else {
            insert_sent(&self.pool, account, job, sent).await?;
            if let Some(reported) = &sent.reported {
                self.receive(Incoming::clone(reported)).await?;
            }
            return Ok(());
        };
        let mut transaction = self.begin().await?;
        let keys: Vec<String> = [Some(&call.key), call.client_key.as_ref()]
            .into_iter()
            .flatten()
            .map(|key| lock_name(account, key))
            .collect();
        lock_keys(&mut transaction, &keys).await?;
        insert_sent(&mut *transaction, account, job, sent).await?;
        let resumed = match (&call.client_request_id, &call.client_key) {
            (Some(id), Some(key)) => {
                events::adopt_early_keys(&mut transaction, account, &call.key, (id, key)).await?
            }
            _ => 0,
        };
        transaction.commit().await?;
        if resumed > 0 {
            self.wake.hint();
        }
        Ok(())
    }

    pub async fn message_state(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<MessageState>, StoreError> {
        Ok(sqlx::query_as(
            "select umid, channel, state, detail, error_code, error_message, changed_at, instance_id, n, report
             from messages
             where account_id = $1 and umid = $2",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_optional(&self.pool)
        .await?)
    }
}

async fn insert_sent(
    executor: impl PgExecutor<'_>,
    account: &AccountId,
    job: JobId,
    sent: &Sent,
) -> Result<(), StoreError> {
    let call = sent.call.as_ref();
    sqlx::query(
        "insert into messages as m (account_id, umid, channel, state, rank, changed_at, instance_id, n,
             client_id, call_key, client_key, destination)
         values ($1, $2, $3, $4, $5, now(), $6, $7, $8, $9, $10, $11)
         on conflict (account_id, umid) do update
         set channel = coalesce(m.channel, excluded.channel), instance_id = excluded.instance_id,
             n = excluded.n, client_id = excluded.client_id, call_key = excluded.call_key,
             client_key = excluded.client_key, destination = excluded.destination",
    )
    .bind(account.as_str())
    .bind(&sent.id)
    .bind(&sent.channel)
    .bind(&sent.state)
    .bind(sent.rank)
    .bind(&job.instance.as_bytes()[..])
    .bind(job.n)
    .bind(call.and_then(|call| call.client_request_id.as_deref()))
    .bind(call.map(|call| call.key.as_str()))
    .bind(call.and_then(|call| call.client_key.as_deref()))
    .bind(call.and_then(|call| call.destination.as_deref()))
    .execute(executor)
    .await?;
    Ok(())
}

/// The call that one of the correlation keys belongs to: the one that the provider calls so, else the newest
/// that a client called so.
pub(crate) async fn find_call(
    connection: &mut PgConnection,
    account: &AccountId,
    keys: &[String],
) -> Result<Option<Call>, StoreError> {
    // Two selects, so that each goes by its index, however often a client says the same id.
    Ok(sqlx::query_as(
        "select call_key, client_key, client_id,
             not exists (
                 select from messages n
                 where n.account_id = $1 and n.client_key = calls.client_key
                     and n.received_at > calls.received_at
             ) as newest
         from (
             select call_key, client_key, client_id, received_at, 0 as rank
             from messages
             where account_id = $1 and call_key = any($2)
             union all
             select call_key, client_key, client_id, received_at, 1
             from messages
             where account_id = $1 and client_key = any($2)
         ) as calls
         order by rank, received_at desc
         limit 1",
    )
    .bind(account.as_str())
    .bind(keys)
    .fetch_optional(connection)
    .await?)
}

/// Keeps the receipt if it is news, and in any case that it came. Receipts come in any order and more than once; the
/// end state is the same for every order.
pub(crate) async fn record_receipt(
    connection: &mut PgConnection,
    account: &AccountId,
    receipt: &Receipt,
    report: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "with told as (
             insert into message_states (account_id, umid, state, error_code, error_message, changed_at)
             values ($1, $2, $4, $7, $8, $9)
         )
         insert into messages as m (account_id, umid, channel, state, rank, detail, error_code,
             error_message, changed_at, report)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (account_id, umid) do update
         set channel = coalesce(excluded.channel, m.channel), state = excluded.state,
             rank = excluded.rank, detail = excluded.detail, error_code = excluded.error_code,
             error_message = excluded.error_message, changed_at = excluded.changed_at,
             report = excluded.report
         where m.report is null and excluded.rank >= m.rank
             or (excluded.rank, excluded.changed_at, excluded.state) > (m.rank, m.changed_at, m.state)",
    )
    .bind(account.as_str())
    .bind(&receipt.id)
    .bind(&receipt.channel)
    .bind(&receipt.state)
    .bind(receipt.rank)
    .bind(&receipt.detail)
    .bind(receipt.error_code)
    .bind(&receipt.error_message)
    .bind(receipt.changed_at)
    .bind(report)
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks the message of a status until the transaction ends. `false`: the status is worth nothing any more.
pub(crate) async fn lock_for_status(
    connection: &mut PgConnection,
    account: &AccountId,
    status: &StatusReceipt,
) -> Result<bool, StoreError> {
    let state: Option<String> = sqlx::query_scalar(
        "select state
         from messages
         where account_id = $1 and umid = $2
         for update",
    )
    .bind(account.as_str())
    .bind(&status.receipt.id)
    .fetch_optional(connection)
    .await?;
    Ok(status.basis == Basis::Known || state.as_deref() == Some(STARTED))
}

/// Keeps the status if it is news, and in any case its price: before the workflow whose end it decides adds up.
pub(crate) async fn record_status(
    connection: &mut PgConnection,
    account: &AccountId,
    status: &StatusReceipt,
    report: &str,
) -> Result<(), StoreError> {
    record_receipt(&mut *connection, account, &status.receipt, report).await?;
    if status.price.is_some() || status.provider_id.is_some() {
        sqlx::query(
            "update messages
             set price = coalesce($3, price), provider_id = coalesce($4, provider_id)
             where account_id = $1 and umid = $2",
        )
        .bind(account.as_str())
        .bind(&status.receipt.id)
        .bind(&status.price)
        .bind(&status.provider_id)
        .execute(connection)
        .await?;
    }
    Ok(())
}
