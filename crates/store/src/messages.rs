//! The last known state of each sent message (spec 6.6).

use chrono::{DateTime, Utc};
use trunkline_workflow::AccountId;

use crate::{Store, StoreError};

/// What a delivery receipt says.
#[derive(Debug, Clone)]
pub struct ReceiptRecord {
    pub account: AccountId,
    pub umid: String,
    pub channel: Option<String>,
    pub state: String,
    /// Orders the states of a message's life: a lower rank never replaces a higher one.
    pub rank: i32,
    pub detail: Option<String>,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub changed_at: DateTime<Utc>,
}

/// A message's last known state.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MessageState {
    pub umid: String,
    pub channel: Option<String>,
    pub state: String,
    pub detail: Option<String>,
    pub error_code: Option<i32>,
    pub error_message: Option<String>,
    pub changed_at: DateTime<Utc>,
}

impl Store {
    /// Keeps the receipt if it is news. Receipts come in any order and more than once; the end state is
    /// the same for every order.
    pub async fn record_receipt(&self, receipt: ReceiptRecord) -> Result<(), StoreError> {
        sqlx::query(
            "insert into messages as m (account_id, umid, channel, state, rank, detail, error_code,
                 error_message, changed_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             on conflict (account_id, umid) do update
             set channel = coalesce(excluded.channel, m.channel), state = excluded.state,
                 rank = excluded.rank, detail = excluded.detail, error_code = excluded.error_code,
                 error_message = excluded.error_message, changed_at = excluded.changed_at
             where (excluded.rank, excluded.changed_at, excluded.state) > (m.rank, m.changed_at, m.state)",
        )
        .bind(receipt.account.as_str())
        .bind(&receipt.umid)
        .bind(&receipt.channel)
        .bind(&receipt.state)
        .bind(receipt.rank)
        .bind(&receipt.detail)
        .bind(receipt.error_code)
        .bind(&receipt.error_message)
        .bind(receipt.changed_at)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub async fn message_state(
        &self,
        account: &AccountId,
        umid: &str,
    ) -> Result<Option<MessageState>, StoreError> {
        Ok(sqlx::query_as(
            "select umid, channel, state, detail, error_code, error_message, changed_at
             from messages
             where account_id = $1 and umid = $2",
        )
        .bind(account.as_str())
        .bind(umid)
        .fetch_optional(&self.pool)
        .await?)
    }
}
