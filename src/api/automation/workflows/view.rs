//! Instances, their logs and errors as the wire shows them (spec 2.11, 5.1, 5.4).

use serde::Serialize;
use serde_json::value::RawValue;
use trunkline_store::instances::{Instance, InstanceError, LogEntry};
use trunkline_workflow::{InstanceId, Version};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::error::ApiError;
use crate::api::timestamp::Timestamp;

/// One run of one version of a definition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Workflow)]
pub struct InstanceView {
    #[schema(pattern = "^[0-9a-f]{24}$", example = "66b1f0c2a94d5e0f1c2b3a4d")]
    workflow_id: String,
    /// The context: what triggered the instance and what its steps have put there since.
    #[schema(value_type = DataSchema)]
    data: Box<RawValue>,
    definition_id: Uuid,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
    #[schema(value_type = InstanceStatusSchema)]
    status: &'static str,
    started_at: Timestamp,
    /// `null` until it has ended.
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// Only when asked for, in the order of execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    logs: Option<Vec<LogView>>,
}

/// Every member of what triggered the instance, these, and what outputs have set.
#[derive(ToSchema)]
#[schema(as = WorkflowData, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
struct DataSchema {
    account_id: String,
    /// When the trigger was raised.
    #[schema(format = DateTime)]
    triggered_at: String,
    /// The subaccount it runs under, when there is one.
    #[schema(nullable = false)]
    sub_account_id: Option<String>,
}

/// `Runnable` is running or waiting, `Terminated` is ended by a command or a fault.
#[derive(ToSchema)]
#[schema(as = WorkflowStatus)]
pub enum InstanceStatusSchema {
    Runnable,
    Suspended,
    Complete,
    Terminated,
}

/// One execution of one step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkflowLog)]
struct LogView {
    id: Uuid,
    /// The step's `id` in the definition.
    step_name: String,
    /// `null` until it starts.
    #[schema(required)]
    started_at: Option<Timestamp>,
    /// `null` until it has ended.
    #[schema(required)]
    completed_at: Option<Timestamp>,
    #[schema(value_type = StepStatusSchema)]
    status: &'static str,
}

/// `Sleeping` waits for a time, `WaitingForEvent` for a reply; `Cancelled` waited in vain or was cut short.
#[derive(ToSchema)]
#[schema(as = StepStatus)]
#[expect(dead_code, reason = "a description")]
enum StepStatusSchema {
    Pending,
    Running,
    Complete,
    Sleeping,
    WaitingForEvent,
    Failed,
    Cancelled,
}

/// Why an instance ended before its time.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WorkflowError)]
pub struct ErrorView {
    workflow_id: String,
    /// The step's `id` in the definition.
    step: String,
    message: String,
    error_time: Timestamp,
}

impl InstanceView {
    /// Without a log.
    pub fn new(instance: Instance) -> Result<Self, ApiError> {
        Ok(Self {
            workflow_id: instance.id.to_string(),
            data: RawValue::from_string(instance.data)?,
            definition_id: instance.definition,
            version: instance.version,
            status: instance.status.as_str(),
            started_at: Timestamp(instance.started_at),
            completed_at: instance.completed_at.map(Timestamp),
            logs: None,
        })
    }

    #[must_use]
    pub fn with_logs(mut self, logs: Vec<LogEntry>) -> Self {
        self.logs = Some(logs.into_iter().map(LogView::new).collect());
        self
    }
}

impl LogView {
    fn new(entry: LogEntry) -> Self {
        Self {
            id: entry.id,
            step_name: entry.step,
            started_at: entry.started_at.map(Timestamp),
            completed_at: entry.completed_at.map(Timestamp),
            status: entry.status.as_str(),
        }
    }
}

impl ErrorView {
    pub fn new(instance: InstanceId, error: InstanceError) -> Self {
        Self {
            workflow_id: instance.to_string(),
            step: error.step,
            message: error.message,
            error_time: Timestamp(error.at),
        }
    }
}
