//! A workflow as it is shown. The original had no such resource; the names are those of its callbacks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use trunkline_store::dispatches::DispatchState;
use trunkline_workflow::dispatch::{Channel, ReportedMessage, Status};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Serialize, ToSchema)]
pub struct DispatchView {
    pub dispatch_uuid: Uuid,
    #[schema(example = "running")]
    pub status: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The instance, as the Automation API calls it.
    pub workflow_id: String,
}

/// With its messages so far.
#[derive(Debug, Serialize, ToSchema)]
pub struct DispatchDetails {
    #[serde(flatten)]
    pub dispatch: DispatchView,
    /// The workflow that this one runs again.
    #[schema(required)]
    pub rerun_of: Option<Uuid>,
    /// Workflows that run it again, the oldest first.
    pub reruns: Vec<Uuid>,
    #[serde(rename = "_links")]
    pub links: DispatchLinks,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DispatchLinks {
    pub messages: Vec<MessageLink>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MessageLink {
    pub message_uuid: Uuid,
    pub href: String,
    #[schema(value_type = String, example = "sms")]
    pub channel: Channel,
    #[schema(value_type = Option<String>, example = "delivered")]
    pub status: Option<Status>,
}

impl From<DispatchState> for DispatchView {
    fn from(state: DispatchState) -> Self {
        Self {
            dispatch_uuid: state.id,
            status: state.status,
            created_at: state.created_at,
            ended_at: state.ended_at,
            workflow_id: state.instance.to_string(),
        }
    }
}

impl From<ReportedMessage> for MessageLink {
    fn from(message: ReportedMessage) -> Self {
        Self {
            message_uuid: message.id,
            href: format!("v0.1/messages/{}", message.id),
            channel: message.channel,
            status: message.status,
        }
    }
}
