//! How each step type is done. One file per type, of the same name as in `trunkline_workflow::step`.

mod chat_apps_message;
mod http_request;
mod r#if;
mod sms;
mod wait;
mod wait_for_reply;

use std::time::Duration;

use serde_json::{Map, Value, json};
use trunkline_connectors::eight_by_eight::SendFailure;
use trunkline_store::jobs::LeasedJob;
use trunkline_store::waits::Resume;
use trunkline_workflow::Outcome;
use trunkline_workflow::graph::Step;
use trunkline_workflow::outcome::Wait;
use trunkline_workflow::step::StepType;

use crate::tools::Tools;

/// A step about to be done.
pub(crate) struct Input<'a> {
    pub(crate) step: &'a Step,
    /// The evaluated inputs; of an `If` its condition.
    pub(crate) value: Value,
    pub(crate) job: &'a LeasedJob,
    pub(crate) tools: &'a Tools,
}

impl Input<'_> {
    fn members(&self) -> Map<String, Value> {
        self.value.as_object().cloned().unwrap_or_default()
    }
}

/// What the activity of a step came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Activity {
    /// The result is what expressions see as `step`.
    Done(Value),
    /// A wait that ended without what it waited for.
    TimedOut(Value),
    Wait {
        wait: Wait,
        due_after: Duration,
    },
    EnterBodies,
    /// The request certainly had no effect.
    Retry {
        after: Option<Duration>,
        message: String,
    },
    Failed {
        message: String,
    },
}

/// Whether doing the step twice can be noticed outside.
pub(crate) fn has_side_effect(step_type: StepType) -> bool {
    match step_type {
        StepType::Sms
        | StepType::ChatAppsMessage
        | StepType::HttpRequest
        | StepType::VoiceMessage
        | StepType::SendToConverse => true,
        StepType::Branch
        | StepType::If
        | StepType::Wait
        | StepType::WaitForReply
        | StepType::WaitForDtmf
        | StepType::Jump => false,
    }
}

pub(crate) async fn execute(step_type: StepType, input: Input<'_>) -> Activity {
    match step_type {
        StepType::Sms => sms::execute(input).await,
        StepType::ChatAppsMessage => chat_apps_message::execute(input).await,
        StepType::HttpRequest => http_request::execute(input).await,
        StepType::Branch | StepType::Jump => Activity::Done(json!({})),
        StepType::If => r#if::execute(&input),
        StepType::Wait => wait::execute(&input),
        StepType::WaitForReply => wait_for_reply::execute(&input),
        StepType::VoiceMessage | StepType::WaitForDtmf | StepType::SendToConverse => Activity::Failed {
            message: format!("Step type '{}' is not available on this server.", step_type.name()),
        },
    }
}

/// Goes on behind the activity, with what ended the wait.
pub(crate) fn resume(step_type: StepType, resume: Resume) -> Activity {
    match (step_type, resume) {
        (StepType::WaitForReply, Resume::Due) => wait_for_reply::timed_out(),
        (StepType::WaitForReply, Resume::Event(event)) => wait_for_reply::replied(&event),
        (_, Resume::Due | Resume::Event(_) | Resume::BodiesEnded) => Activity::Done(json!({})),
    }
}

/// Tries after which a request that never got through is given up.
const MAX_RETRIES: i32 = 3;

/// Half a second, one, two, each up to half as long again, so that the retries of many instances spread;
/// or what the other side asked for, within reason.
pub(crate) fn retry_or_fail(attempt: i32, asked: Option<Duration>, message: String) -> Outcome {
    if attempt > MAX_RETRIES {
        return Outcome::Failed { message, result: None };
    }
    let own = Duration::from_millis(250 << attempt.max(1)).mul_f64(rand::random_range(1.0..1.5));
    let after = asked.map_or(own, |asked| asked.min(Duration::from_secs(300)));
    Outcome::Retry { after, message }
}

/// A send that a provider did not take.
fn not_sent(failure: SendFailure) -> Activity {
    match failure {
        SendFailure::Retry { after, message } => Activity::Retry { after, message },
        SendFailure::Failed { message } => Activity::Failed { message },
    }
}

const NO_PROVIDER: &str = "No messaging provider is configured.";

/// An input that became null or empty when it was evaluated (U-78).
fn input_required(step: &Step, name: &str) -> Activity {
    Activity::Failed { message: format!("Step '{}': input '{name}' is required.", step.id) }
}
