//! Last messages of which nobody knows whether they were sent: when no status comes, they are given up (Dispatch 12.3).
//!
//! ```text
//!               ┌─ a status, of whatever kind ─▶ the message has it, and is waited for as any other
//! nobody knows ─┤  (one of them is first: both lock the message, and the second looks at what the first left)
//!               └─ 60 s of silence ───────────▶ rejected, told, and the wait for it ends
//! ```

use std::time::Duration;

use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::{Change, STARTED, damaged};
use crate::messages::Basis;
use crate::workers::micros;
use crate::{Store, StoreError};

/// Messages looked at in one go.
const BATCH: i64 = 100;

impl Store {
    /// The message is to be given up after this long, unless that was said before, or it has a status.
    pub async fn give_up_after(
        &self,
        account: &AccountId,
        message: Uuid,
        patience: Duration,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "update messages
             set give_up_at = now() + $3 * interval '1 microsecond'
             where account_id = $1 and umid = $2 and state = $4 and give_up_at is null",
        )
        .bind(account.as_str())
        .bind(message.to_string())
        .bind(micros(patience))
        .bind(STARTED)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Some of those that are to be given up now, which may get a status in this moment.
    pub async fn find_overdue_messages(&self) -> Result<Vec<(AccountId, Uuid)>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select account_id, umid
             from messages
             where give_up_at <= now() and state = 'started'
             order by give_up_at
             limit $1",
        )
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(account, id)| Ok((AccountId::new(account), id.parse().map_err(damaged)?)))
            .collect()
    }

    /// As [`Store::change_status`], as long as the message has no status. `false`: it has one.
    pub async fn give_up_message(
        &self,
        account: &AccountId,
        (message, key): (Uuid, String),
        change: &Change,
    ) -> Result<bool, StoreError> {
        let received = self.take_status(account, (message, key), change, Basis::Silence).await?;
        Ok(received.is_some_and(|received| !received.duplicate))
    }
}
