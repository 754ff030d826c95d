//! Batches as they are shown.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use trunkline_store::batches::{Batch, BatchItem, BatchState, DryRun, ErrorCount, StepCount, VersionCount};
use trunkline_workflow::rerun::Choice;
use trunkline_workflow::{InstanceStatus, Version};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::error::ApiError;
use crate::api::operations::audit::ActorView;
use crate::api::timestamp::Timestamp;

/// What is done to many instances, and how far that is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Batch)]
pub struct BatchView {
    batch_id: Uuid,
    #[schema(example = "rerun")]
    action: String,
    /// `running`, `paused`, `aborted` or `done`.
    #[schema(example = "running")]
    state: &'static str,
    /// As it was asked for; `null` where ids were given.
    #[schema(required, value_type = Option<Object>)]
    filter: Option<Box<RawValue>>,
    /// How instances are run again; of `context` the names of the members.
    #[schema(required, value_type = Option<Object>)]
    rerun: Option<Value>,
    /// Also those that were run again before.
    again: bool,
    /// Instances a second, at most.
    rate: i32,
    /// Instances that are dealt with at the same moment, at most.
    concurrency: i32,
    by: ActorView,
    #[schema(required)]
    reason: Option<String>,
    created_at: Timestamp,
    #[schema(required)]
    ended_at: Option<Timestamp>,
    progress: ProgressView,
}

/// Instances by what became of them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchProgress)]
struct ProgressView {
    total: i32,
    pending: i32,
    done: i32,
    skipped: i32,
    failed: i32,
    /// A second, over the last ten.
    rate: f64,
    /// Seconds, at that rate; `null` unless it is running.
    #[schema(required)]
    time_left: Option<i64>,
}

impl BatchView {
    pub fn new(batch: Batch) -> Result<Self, ApiError> {
        let progress = ProgressView::new(&batch);
        let rerun = batch.choice.as_deref().map(serde_json::from_str::<Value>).transpose()?;
        Ok(Self {
            batch_id: batch.id,
            action: batch.action,
            state: batch.state.as_str(),
            filter: batch.filter.map(RawValue::from_string).transpose()?,
            rerun: rerun.map(Choice::outline),
            again: batch.again,
            rate: batch.rate,
            concurrency: batch.concurrency,
            by: ActorView::new(batch.actor_kind, batch.actor_id, batch.actor_name),
            reason: batch.reason,
            created_at: Timestamp(batch.created_at),
            ended_at: batch.ended_at.map(Timestamp),
            progress,
        })
    }
}

impl ProgressView {
    fn new(batch: &Batch) -> Self {
        let rate = f64::from(batch.lately) / 10.0;
        // One that has just begun is believed to go as fast as it may.
        let per_ten_seconds = if batch.lately > 0 { batch.lately } else { batch.rate * 10 };
        let left = i64::from(batch.pending()) * 10;
        let seconds = (left + i64::from(per_ten_seconds) - 1) / i64::from(per_ten_seconds);
        Self {
            total: batch.total,
            pending: batch.pending(),
            done: batch.done,
            skipped: batch.skipped,
            failed: batch.failed,
            rate,
            time_left: (batch.state == BatchState::Running).then_some(seconds),
        }
    }
}

/// What a batch would be about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchDryRun)]
pub struct DryRunView {
    /// At most 100,000 are counted.
    total: usize,
    /// Not all were counted: they are more than a batch may have, or it took too long. Such a batch is refused.
    has_more: bool,
    by_version: Vec<VersionCountView>,
    by_status: Vec<StatusCountView>,
    /// By the step that failed; the 100 most frequent.
    by_step: Vec<StepCountView>,
    /// By the error that ended them; the 100 most frequent.
    by_error: Vec<ErrorCountView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchVersionCount)]
struct VersionCountView {
    definition_id: Uuid,
    /// Of the definition.
    name: String,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
    count: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchStatusCount)]
struct StatusCountView {
    status: &'static str,
    count: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchStepCount)]
struct StepCountView {
    step: String,
    count: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchErrorCount)]
struct ErrorCountView {
    /// What all of them have in common.
    fingerprint: String,
    /// One of them.
    error: String,
    count: usize,
}

impl From<DryRun> for DryRunView {
    fn from(dry: DryRun) -> Self {
        let version = |VersionCount { definition, name, version, count }| VersionCountView {
            definition_id: definition,
            name,
            version,
            count,
        };
        let step = |StepCount { step, count }| StepCountView { step, count };
        let error = |ErrorCount { fingerprint, message, count }: ErrorCount| ErrorCountView {
            fingerprint: fingerprint.to_string(),
            error: message,
            count,
        };
        let status =
            |(status, count): (InstanceStatus, usize)| StatusCountView { status: status.as_str(), count };
        Self {
            total: dry.total,
            has_more: dry.has_more,
            by_version: dry.by_version.into_iter().map(version).collect(),
            by_status: dry.by_status.into_iter().map(status).collect(),
            by_step: dry.by_step.into_iter().map(step).collect(),
            by_error: dry.by_error.into_iter().map(error).collect(),
        }
    }
}

/// A page of a batch's instances.
#[derive(Serialize, ToSchema)]
#[schema(as = BatchItems)]
pub struct ItemsView {
    pub items: Vec<ItemView>,
    /// `after` of the next page; `null` behind the last one.
    #[schema(required)]
    pub next: Option<i32>,
}

/// One instance of a batch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BatchItem)]
pub struct ItemView {
    n: i32,
    instance_id: String,
    /// `pending`, `done`, `skipped` or `failed`.
    state: String,
    /// Why it was skipped or failed.
    #[schema(required)]
    reason: Option<String>,
    /// The new instance, where it was run again.
    #[schema(required)]
    rerun: Option<String>,
    #[schema(required)]
    decided_at: Option<Timestamp>,
}

impl From<BatchItem> for ItemView {
    fn from(item: BatchItem) -> Self {
        Self {
            n: item.n,
            instance_id: item.instance.to_string(),
            state: item.state,
            reason: item.reason,
            rerun: item.rerun.map(|id| id.to_string()),
            decided_at: item.decided_at.map(Timestamp),
        }
    }
}
