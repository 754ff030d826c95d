//! An instance with the reasons of its unfinished steps.

use serde::Serialize;
use serde_json::value::RawValue;
use trunkline_store::explain::{
    BlockedOn, ExplainedStep, Explanation, RerunLink, SentMessage, SuspendedBy, UsedEvent,
};
use trunkline_workflow::Version;
use trunkline_workflow::step::StepType;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::automation::workflows::view::InstanceStatusSchema;
use crate::api::error::ApiError;
use crate::api::operations::audit::ActorView;
use crate::api::timestamp::Timestamp;

/// An instance, its steps, and what keeps them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Explanation)]
pub struct ExplanationView {
    #[schema(pattern = "^[0-9a-f]{24}$", example = "66b1f0c2a94d5e0f1c2b3a4d")]
    instance_id: String,
    definition: DefinitionOfInstance,
    #[schema(value_type = InstanceStatusSchema)]
    status: &'static str,
    started_at: Timestamp,
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// The context.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// What came in from outside and started it, or ended a wait of it.
    events: Vec<UsedEventView>,
    /// In the order of execution; what was not started yet comes last.
    steps: Vec<ExplainedStepView>,
    /// Workflows of the Workflows API that its steps started, or that it is.
    dispatches: Vec<Uuid>,
    /// The instance that it runs again.
    #[schema(required)]
    origin: Option<RerunLinkView>,
    /// Instances that run it again, the oldest first.
    reruns: Vec<RerunLinkView>,
}

/// The other end of a re-run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RerunLink)]
struct RerunLinkView {
    instance_id: String,
    /// Of a workflow of the Workflows API.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_uuid: Option<Uuid>,
    /// From where it was asked to be run again, and on which version.
    #[schema(value_type = Object)]
    choice: Box<RawValue>,
    at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct DefinitionOfInstance {
    id: Uuid,
    name: String,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UsedEvent)]
pub(super) struct UsedEventView {
    id: i64,
    /// Of a message or receipt that may start instances.
    #[schema(required)]
    trigger: Option<String>,
    /// Of a receipt: the state that it told.
    #[schema(required)]
    state: Option<String>,
    received_at: Timestamp,
    /// Whether it started the instance.
    started: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExplainedStep)]
struct ExplainedStepView {
    /// The same for every attempt: what a step sends carries it as idempotency key.
    id: Uuid,
    /// Its `id` in the definition.
    step: String,
    #[schema(required)]
    step_type: Option<&'static str>,
    /// As in the log of the instance.
    status: String,
    /// Tries so far.
    attempts: i32,
    #[schema(required)]
    started_at: Option<Timestamp>,
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// What it answered: `step` in its own expressions.
    #[schema(required, value_type = Option<Object>)]
    result: Option<Box<RawValue>>,
    #[schema(required)]
    error: Option<String>,
    messages: Vec<SentMessageView>,
    /// Of an unfinished step.
    #[schema(required)]
    blocked_on: Option<BlockedOnView>,
}

/// A message or call, and what became of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SentMessage)]
struct SentMessageView {
    id: String,
    #[schema(required)]
    channel: Option<String>,
    state: String,
    #[schema(required)]
    error_code: Option<i32>,
    #[schema(required)]
    error_message: Option<String>,
    changed_at: Timestamp,
}

/// The one thing that a step waits for. What there is besides `reason` and `message` depends on the reason.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BlockedOn)]
struct BlockedOnView {
    /// `running`, `rescue`, `queued`, `noWorker`, `turn`, `suspended`, `time`, `reply`, `keys`, `receipt`, `workflow`,
    /// `retry`, `bodies`, `rateLimited`, `quietHours`, `concurrency` or `definitionPaused`.
    #[schema(example = "reply")]
    reason: &'static str,
    /// The same as a sentence.
    #[schema(example = "Waits for a reply of 6590001111 by sms until 2026-02-03 04:05:06 UTC.")]
    message: String,
    /// When the wait ends by itself, the next try is made, or the worker's lease ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// Jobs that have been ready for longer, 10,000 at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<i64>,
    /// Workers that are alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    /// Who has to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The call, message or workflow that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// The states that end the wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<Vec<String>>,
    /// The next try, and how many are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<i32>,
    /// Why the last try failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<ActorView>,
    /// Why it was suspended or paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Whose limit it is: `account`, `sender`, `recipient` or `definition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    /// So many messages, or steps at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<u32>,
    /// `second`, `minute`, `hour` or `day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    per: Option<&'static str>,
    /// The quiet hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "21:00-08:00")]
    window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
}

impl ExplanationView {
    pub fn new(explanation: Explanation) -> Result<Self, ApiError> {
        Ok(Self {
            instance_id: explanation.id.to_string(),
            definition: DefinitionOfInstance {
                id: explanation.definition,
                name: explanation.definition_name,
                version: explanation.version,
            },
            status: explanation.status.as_str(),
            started_at: Timestamp(explanation.started_at),
            completed_at: explanation.completed_at.map(Timestamp),
            data: RawValue::from_string(explanation.data)?,
            events: explanation.events.into_iter().map(UsedEventView::from).collect(),
            steps: explanation.steps.into_iter().map(ExplainedStepView::new).collect::<Result<_, _>>()?,
            dispatches: explanation.dispatches,
            origin: explanation.origin.map(RerunLinkView::new).transpose()?,
            reruns: explanation.reruns.into_iter().map(RerunLinkView::new).collect::<Result<_, _>>()?,
        })
    }
}

impl RerunLinkView {
    fn new(link: RerunLink) -> Result<Self, ApiError> {
        Ok(Self {
            instance_id: link.instance.to_string(),
            dispatch_uuid: link.dispatch,
            choice: RawValue::from_string(link.choice)?,
            at: Timestamp(link.at),
        })
    }
}

impl From<UsedEvent> for UsedEventView {
    fn from(event: UsedEvent) -> Self {
        let UsedEvent { id, trigger, state, received_at, started } = event;
        Self { id, trigger, state, received_at: Timestamp(received_at), started }
    }
}

impl ExplainedStepView {
    fn new(step: ExplainedStep) -> Result<Self, ApiError> {
        Ok(Self {
            id: step.id,
            step: step.step,
            step_type: step.step_type.map(StepType::name),
            status: step.status,
            attempts: step.attempts,
            started_at: step.started_at.map(Timestamp),
            completed_at: step.completed_at.map(Timestamp),
            result: step.result.map(RawValue::from_string).transpose()?,
            error: step.error,
            messages: step.messages.into_iter().map(SentMessageView::from).collect(),
            blocked_on: step.blocked_on.map(BlockedOnView::from),
        })
    }
}

impl From<SentMessage> for SentMessageView {
    fn from(message: SentMessage) -> Self {
        Self {
            id: message.id,
            channel: message.channel,
            state: message.state,
            error_code: message.error_code,
            error_message: message.error_message,
            changed_at: Timestamp(message.changed_at),
        }
    }
}

impl From<BlockedOn> for BlockedOnView {
    fn from(blocked_on: BlockedOn) -> Self {
        let message = blocked_on.to_string();
        let view = |reason| Self { reason, message, ..Self::default() };
        let at = |time| Some(Timestamp(time));
        match blocked_on {
            BlockedOn::Running { worker, since, leased_until } => {
                Self { worker: Some(worker), since: at(since), until: at(leased_until), ..view("running") }
            }
            BlockedOn::Rescue { worker, leased_until } => {
                Self { worker: Some(worker), until: at(leased_until), ..view("rescue") }
            }
            BlockedOn::Queued { ahead, workers, since } => {
                Self { ahead: Some(ahead), workers: Some(workers), since: at(since), ..view("queued") }
            }
            BlockedOn::NoWorker { ahead, since, .. } => {
                Self { ahead: Some(ahead), workers: Some(0), since: at(since), ..view("noWorker") }
            }
            BlockedOn::Turn => view("turn"),
            BlockedOn::Suspended(by) => view("suspended").told_by(by),
            BlockedOn::DefinitionPaused(by) => view("definitionPaused").told_by(by),
            BlockedOn::RateLimited { limit, sender, rate, until } => Self {
                limit: Some(limit),
                sender,
                most: Some(rate.messages),
                per: Some(rate.per.as_str()),
                until: at(until),
                ..view("rateLimited")
            },
            BlockedOn::QuietHours { until, window, zone } => {
                Self { until: at(until), window: Some(window), zone: Some(zone), ..view("quietHours") }
            }
            BlockedOn::Concurrency { limit, most } => {
                Self { limit: Some(limit), most: Some(most), ..view("concurrency") }
            }
            BlockedOn::Time { until } => Self { until: at(until), ..view("time") },
            BlockedOn::Reply { channel, from, until } => {
                Self { channel: Some(channel), from: Some(from), until: at(until), ..view("reply") }
            }
            BlockedOn::Keys { call, until } => Self { id: Some(call), until: at(until), ..view("keys") },
            BlockedOn::Receipt { message, states, until } => {
                Self { id: Some(message), states: Some(states), until: at(until), ..view("receipt") }
            }
            BlockedOn::Workflow { dispatch, until } => {
                Self { id: Some(dispatch), until: at(until), ..view("workflow") }
            }
            BlockedOn::Retry { attempt, of, at: until, error } => {
                Self { attempt: Some(attempt), of: Some(of), until: at(until), error, ..view("retry") }
            }
            BlockedOn::Bodies => view("bodies"),
        }
    }
}

impl BlockedOnView {
    fn told_by(self, by: Option<SuspendedBy>) -> Self {
        Self {
            since: by.as_ref().map(|by| Timestamp(by.at)),
            by: by.as_ref().map(ActorView::from),
            why: by.and_then(|by| by.reason),
            ..self
        }
    }
}
