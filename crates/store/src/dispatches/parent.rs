//! Workflows that a step of another instance started: the step is told their end, and ends them with its instance.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trunkline_workflow::dispatch::ReportedMessage;
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use super::messages_of;
use crate::events::{EventKind, Incoming, Recipients, receive_within};
use crate::waits::read_id;
use crate::{PgConnection, StoreError};

/// The instance whose step started a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    pub instance: InstanceId,
    /// The correlation key that the step waits under.
    pub key: String,
}

/// How a workflow ended, for the step that started it.
pub(super) struct End<'a> {
    pub(super) dispatch: Uuid,
    /// One of [`super::STATUSES`] but the first.
    pub(super) status: &'static str,
    /// Those that were begun, in order.
    pub(super) messages: &'a [ReportedMessage],
    pub(super) at: DateTime<Utc>,
}

impl End<'_> {
    /// What the step answers. The last message is the one that got through, if one did.
    fn body(&self) -> Value {
        let won = self.messages.last().filter(|_| self.status == "completed");
        let messages: Vec<Value> = self
            .messages
            .iter()
            .map(|message| {
                json!({"messageUuid": message.id, "channel": message.channel, "status": message.status})
            })
            .collect();
        json!({
            "dispatchUuid": self.dispatch,
            "status": self.status,
            "channel": won.map(|message| message.channel),
            "messageUuid": won.map(|message| message.id),
            "messages": messages,
        })
    }
}

/// Gives the end of a workflow to the step that started it. `false`: nobody waits for it.
pub(super) async fn tell_parent(
    connection: &mut PgConnection,
    account: &AccountId,
    end: &End<'_>,
) -> Result<bool, StoreError> {
    let key: Option<Option<String>> = sqlx::query_scalar("select parent_key from dispatches where id = $1")
        .bind(end.dispatch)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(key) = key.flatten() else { return Ok(false) };
    let incoming = Incoming {
        account: account.clone(),
        dedupe_key: format!("dispatch:{}", end.dispatch),
        kind: EventKind::DispatchEnded(end.status),
        subaccount: None,
        keys: vec![key],
        body: end.body(),
        received_at: end.at,
        recipients: Recipients::All,
        callback: None,
    };
    Ok(!receive_within(connection, &incoming).await?.resumed.is_empty())
}

/// Somebody ended the instance: if it is a workflow that has not ended, it is cancelled, and the step that started it is
/// told that nobody goes on with it. Whether somebody waits for that.
pub(crate) async fn cancelled(
    connection: &mut PgConnection,
    account: &AccountId,
    instance: InstanceId,
) -> Result<bool, StoreError> {
    let dispatch: Option<(Uuid, DateTime<Utc>)> = sqlx::query_as(
        "update dispatches
         set outcome = 'cancelled', ended_at = now()
         where instance_id = $1 and outcome is null
         returning id, ended_at",
    )
    .bind(&instance.as_bytes()[..])
    .fetch_optional(&mut *connection)
    .await?;
    let Some((dispatch, at)) = dispatch else { return Ok(false) };
    let messages = messages_of(&mut *connection, account, instance).await?;
    tell_parent(connection, account, &End { dispatch, status: "cancelled", messages: &messages, at }).await
}

/// The live workflows that steps of an instance started.
pub(crate) async fn live_children(
    connection: &mut PgConnection,
    parent: InstanceId,
) -> Result<Vec<InstanceId>, StoreError> {
    let children: Vec<Vec<u8>> = sqlx::query_scalar(
        "select d.instance_id
         from dispatches d
         join instances i on i.id = d.instance_id
         where d.parent = $1 and d.outcome is null and i.completed_at is null
         order by d.instance_id",
    )
    .bind(&parent.as_bytes()[..])
    .fetch_all(connection)
    .await?;
    children.iter().map(|id| read_id(id)).collect()
}
