//! Workflows and messages as those who started them see them.

use chrono::{DateTime, Utc};
use trunkline_workflow::control::Command;
use trunkline_workflow::dispatch::ReportedMessage;
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use super::{DEFINITION, damaged, messages_of};
use crate::audit::By;
use crate::control::Controlled;
use crate::explain::read_links;
use crate::messages::MessageState;
use crate::page::Page;
use crate::waits::read_id;
use crate::{Store, StoreError};

/// A workflow and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DispatchState {
    pub id: Uuid,
    pub instance: InstanceId,
    /// One of [`STATUSES`].
    pub status: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a workflow can be.
pub const STATUSES: [&str; 4] = ["running", "completed", "error", "cancelled"];

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    instance_id: Vec<u8>,
    status: String,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for DispatchState {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let instance = read_id(&row.instance_id)?;
        Ok(Self {
            id: row.id,
            instance,
            status: row.status,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

impl Store {
    pub async fn find_dispatch(
        &self,
        account: &AccountId,
        id: Uuid,
    ) -> Result<Option<DispatchState>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select d.id, d.instance_id, d.created_at, d.ended_at,
                 coalesce(d.outcome, 'running') as status
             from dispatches d
             where d.account_id = $1 and d.id = $2",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        row.map(DispatchState::try_from).transpose()
    }

    /// The workflow that this one runs again, and those that run it again, the oldest first.
    pub async fn dispatch_reruns(
        &self,
        instance: InstanceId,
    ) -> Result<(Option<Uuid>, Vec<Uuid>), StoreError> {
        let mut transaction = self.begin().await?;
        let origin = read_links(&mut transaction, "origin", "instance_id", instance).await?;
        let reruns = read_links(&mut transaction, "instance_id", "origin", instance).await?;
        transaction.rollback().await?;
        let origin = origin.into_iter().find_map(|link| link.dispatch);
        Ok((origin, reruns.into_iter().filter_map(|link| link.dispatch).collect()))
    }

    /// The newest first; with a status only those that have it.
    pub async fn list_dispatches(
        &self,
        account: &AccountId,
        status: Option<&str>,
        page: Page,
    ) -> Result<Vec<DispatchState>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select *
             from (
                 select d.id, d.instance_id, d.created_at, d.ended_at,
                     coalesce(d.outcome, 'running') as status
                 from dispatches d
                 where d.account_id = $1
             ) as dispatches
             where $2::text is null or status = $2
             order by created_at desc, id desc
             limit $3
             offset $4",
        )
        .bind(account.as_str())
        .bind(status)
        .bind(page.limit)
        .bind(page.offset)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(DispatchState::try_from).collect()
    }

    /// The messages of a workflow that were handed to the provider, or refused, in order.
    pub async fn dispatch_messages(
        &self,
        account: &AccountId,
        instance: InstanceId,
    ) -> Result<Vec<ReportedMessage>, StoreError> {
        messages_of(&self.pool, account, instance).await
    }

    /// Ends a workflow: no other message is sent, and nothing more is told of it but what becomes of those that were.
    pub async fn cancel_dispatch(
        &self,
        account: &AccountId,
        dispatch: &DispatchState,
        by: &By,
    ) -> Result<Controlled, StoreError> {
        self.control(account, DEFINITION, dispatch.instance, Command::Terminate, by).await
    }

    /// A message of this API, and what is told with its statuses.
    pub async fn find_message(
        &self,
        account: &AccountId,
        message: Uuid,
    ) -> Result<Option<(MessageState, super::Echo)>, StoreError> {
        let Some(echo) = self.find_echo(account, message).await? else { return Ok(None) };
        let state = self.message_state(account, &message.to_string()).await?;
        let state = state.ok_or_else(|| damaged(format!("message {message}")))?;
        Ok(Some((state, echo)))
    }
}
