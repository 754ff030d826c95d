//! Last messages of which nobody knows whether they were sent: when no status comes, they are given up (Dispatch 12.3).
//!
//! ```text
//!               ┌─ a status, of whatever kind ─▶ the message has it, and is waited for as any other
//! nobody knows ─┤  (one of them is first: both lock the message, and the second looks at what the first left)
//!               └─ 60 s of silence ───────────▶ rejected, told, and the wait for it ends
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::{Change, STARTED};
use crate::messages::Basis;
use crate::workers::micros;
use crate::{Store, StoreError};

/// Messages looked at in one go.
const BATCH: i64 = 100;

/// A message whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueMessage {
    pub account: AccountId,
    pub id: Uuid,
}

/// How far somebody has come in looking at them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverdueMark(Option<(DateTime<Utc>, String, String)>);

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

    /// Some of those that are to be given up now, which may get a status in this moment: behind the mark, which is
    /// moved. `None`: there are no more.
    pub async fn find_overdue_messages(
        &self,
        mark: &mut OverdueMark,
    ) -> Result<Option<Vec<OverdueMessage>>, StoreError> {
        let (at, account, id) = mark.0.clone().unwrap_or_default();
        let rows: Vec<(DateTime<Utc>, String, String)> = sqlx::query_as(
            "select give_up_at, account_id, umid
             from messages
             where give_up_at <= now() and state = 'started' and (give_up_at, account_id, umid) > ($1, $2, $3)
             order by give_up_at, account_id, umid
             limit $4",
        )
        .bind(at)
        .bind(account)
        .bind(id)
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await?;
        let Some(last) = rows.last() else { return Ok(None) };
        mark.0 = Some(last.clone());
        let read = |(_, account, id): (_, String, String)| {
            let parsed = id.parse().ok();
            if parsed.is_none() {
                tracing::error!(account.id = account, "`{id}` is no id of a message that can be given up");
            }
            parsed.map(|id| OverdueMessage { account: AccountId::new(account), id })
        };
        Ok(Some(rows.into_iter().filter_map(read).collect()))
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
