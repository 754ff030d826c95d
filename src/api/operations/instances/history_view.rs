//! The history of an instance as it is shown.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trunkline_store::history::{Happened, HistoryEntry, HistoryPage, PastAttempt, PastReceipt, PastStep};
use trunkline_workflow::step::StepType;
use utoipa::ToSchema;
use uuid::Uuid;

use super::history_cursor;
use super::view::UsedEventView;
use crate::api::error::ApiError;
use crate::api::operations::audit::AuditEntryView;
use crate::api::timestamp::Timestamp;

/// A page of an instance's history, the oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = InstanceHistory)]
pub struct HistoryView {
    items: Vec<HistoryItemView>,
    /// The `cursor` of the next page; `null`: this is the last one.
    #[schema(required)]
    next: Option<String>,
}

/// Something that happened. It has the member that `kind` names.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryItem)]
struct HistoryItemView {
    /// When it was over.
    at: Timestamp,
    /// `event`, `attempt`, `step`, `receipt` or `action`.
    #[schema(example = "attempt")]
    kind: &'static str,
    /// Of a step that reaches out, or that did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<Box<AttemptView>>,
    /// A step that ended and of which no attempt tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Box<PastStepView>>,
    /// A state that was told of a message or call.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Box<ReceiptView>>,
    /// What came in from outside and started the instance, or ended a wait of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<UsedEventView>>,
    /// What somebody did to the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Box<AuditEntryView>>,
}

/// One try of a step.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Attempt)]
struct AttemptView {
    /// Of the step's execution, the same for each of its attempts: its idempotency key.
    id: Uuid,
    /// The step's `id` in the definition; `null` where that cannot be read.
    #[schema(required)]
    step: Option<String>,
    #[schema(required)]
    step_type: Option<&'static str>,
    /// Of the execution, from 1 on. One that was postponed or given back does not count: the next has its number.
    attempt: i32,
    /// `completed`, `waiting`, `retried`, `postponed`, `failed` or `interrupted` (its worker died or was stopped).
    #[schema(example = "completed")]
    outcome: String,
    #[schema(required)]
    worker: Option<String>,
    started_at: Timestamp,
    ended_at: Timestamp,
    #[schema(required)]
    error: Option<String>,
    /// Of the message, call or ticket that came of it.
    #[schema(required)]
    message_id: Option<String>,
    /// After everything in them was evaluated.
    #[schema(required)]
    inputs: Option<ExcerptView>,
    /// What was sent, and what came back.
    exchanges: Vec<ExchangeView>,
    #[schema(required)]
    outputs: Option<ExcerptView>,
}

/// As it is stored.
#[derive(Default, Deserialize)]
struct Detail {
    inputs: Option<ExcerptView>,
    exchanges: Vec<ExchangeView>,
    outputs: Option<ExcerptView>,
}

/// What was kept of something. What is in square brackets stands for what was not.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Excerpt)]
struct ExcerptView {
    /// All of it, if it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    json: Option<Box<RawValue>>,
    /// What is no JSON, or was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Bytes of the original.
    #[schema(minimum = 0)]
    size: i64,
    /// Whether something is missing at its end.
    cut: bool,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Exchange)]
struct ExchangeView {
    request: ExchangeRequestView,
    #[schema(required)]
    response: Option<ExchangeResponseView>,
    /// Why there is no answer.
    #[schema(required)]
    error: Option<String>,
    #[schema(required, minimum = 0)]
    milliseconds: Option<i64>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ExchangeRequest)]
struct ExchangeRequestView {
    method: String,
    /// Without what opens something.
    url: String,
    /// Names and values.
    headers: Vec<[String; 2]>,
    #[schema(required)]
    body: Option<ExcerptView>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ExchangeResponse)]
struct ExchangeResponseView {
    #[schema(value_type = i32)]
    status: u16,
    reason: String,
    /// Names and values.
    headers: Vec<[String; 2]>,
    #[schema(required)]
    body: Option<ExcerptView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PastStep)]
struct PastStepView {
    /// Of its execution.
    id: Uuid,
    /// Its `id` in the definition.
    step: String,
    #[schema(required)]
    step_type: Option<&'static str>,
    /// As in the log of the instance.
    status: String,
    /// Tries that it took.
    attempts: i32,
    #[schema(required)]
    started_at: Option<Timestamp>,
    #[schema(required)]
    error: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PastReceipt)]
struct ReceiptView {
    /// Of the execution that sent the message.
    id: Uuid,
    message_id: String,
    #[schema(required)]
    channel: Option<String>,
    state: String,
    #[schema(required)]
    error_code: Option<i32>,
    #[schema(required)]
    error_message: Option<String>,
    /// As the provider says.
    changed_at: Timestamp,
}

impl HistoryView {
    pub fn new(page: HistoryPage) -> Result<Self, ApiError> {
        let items = page.entries.into_iter().map(HistoryItemView::new).collect::<Result<_, _>>()?;
        Ok(Self { items, next: page.next.map(history_cursor::write) })
    }
}

impl HistoryItemView {
    fn new(entry: HistoryEntry) -> Result<Self, ApiError> {
        let at = Timestamp(entry.at);
        let none =
            |kind| Self { at, kind, attempt: None, step: None, receipt: None, event: None, action: None };
        Ok(match entry.what {
            Happened::Event(event) => Self { event: Some(Box::new(event.into())), ..none("event") },
            Happened::Attempt(attempt) => {
                Self { attempt: Some(Box::new(AttemptView::new(attempt)?)), ..none("attempt") }
            }
            Happened::Step(step) => Self { step: Some(Box::new(step.into())), ..none("step") },
            Happened::Receipt(receipt) => Self { receipt: Some(Box::new(receipt.into())), ..none("receipt") },
            Happened::Action(entry) => Self { action: Some(Box::new(entry.try_into()?)), ..none("action") },
        })
    }
}

impl AttemptView {
    fn new(attempt: PastAttempt) -> Result<Self, ApiError> {
        let detail: Option<Detail> = attempt.detail.as_deref().map(serde_json::from_str).transpose()?;
        let Detail { inputs, exchanges, outputs } = detail.unwrap_or_default();
        let (step, step_type) = attempt.step.unzip();
        Ok(Self {
            id: attempt.job,
            step,
            step_type: step_type.map(StepType::name),
            attempt: attempt.attempt,
            outcome: attempt.outcome,
            worker: attempt.worker,
            started_at: Timestamp(attempt.started_at),
            ended_at: Timestamp(attempt.ended_at),
            error: attempt.error,
            message_id: attempt.message_id,
            inputs,
            exchanges,
            outputs,
        })
    }
}

impl From<PastStep> for PastStepView {
    fn from(step: PastStep) -> Self {
        Self {
            id: step.job,
            step: step.step,
            step_type: step.step_type.map(StepType::name),
            status: step.status,
            attempts: step.attempts,
            started_at: step.started_at.map(Timestamp),
            error: step.error,
        }
    }
}

impl From<PastReceipt> for ReceiptView {
    fn from(receipt: PastReceipt) -> Self {
        Self {
            id: receipt.job,
            message_id: receipt.message_id,
            channel: receipt.channel,
            state: receipt.state,
            error_code: receipt.error_code,
            error_message: receipt.error_message,
            changed_at: Timestamp(receipt.changed_at),
        }
    }
}
