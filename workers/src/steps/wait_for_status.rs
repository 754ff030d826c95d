//! `WaitForStatus`: parked under the message's key until a status decides, or the deadline (Dispatch 8.2, 8.3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trunkline_connectors::correlation::receipt_key;
use trunkline_store::clock;
use trunkline_store::waits::Resume;
use trunkline_workflow::dispatch::{Condition, Status, deciding_statuses};
use trunkline_workflow::outcome::{Awaited, AwaitedEvent, Wait};

use super::{Activity, Input, input_required, text};

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let members = input.members();
    let Some(message) = text(&members, "message") else { return input_required(input.step, "message") };
    let deadline = text(&members, "deadline").and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let Some(deadline) = deadline else { return input_required(input.step, "deadline") };
    let condition = text(&members, "condition").and_then(|text| Condition::parse(&text));
    let states = deciding_statuses(condition).into_iter().map(|status| status.as_str().to_owned()).collect();
    let wait = Wait::Event(Awaited { event: AwaitedEvent::Receipt { states }, key: receipt_key(&message) });
    // The time of the wait counts from its own start, a moment after the message's.
    let started_at = input.job.path.started_at.unwrap_or_else(clock::now);
    let due_after = (deadline - started_at).to_std().unwrap_or(Duration::ZERO);
    Activity::Wait { wait, due_after }
}

/// Only what decides ends the wait, so what is no failure is what was waited for.
pub(super) fn resume(resume: &Resume) -> Activity {
    let status = match resume {
        Resume::Event(event) => serde_json::from_str::<Value>(event.get())
            .ok()
            .and_then(|event| event["status"].as_str().and_then(Status::parse)),
        Resume::Due | Resume::BodiesEnded | Resume::Interrupted => None,
    };
    let result = json!({"isMet": status.is_some_and(|status| !status.is_failure()), "status": status});
    if status.is_some() { Activity::Done(result) } else { Activity::TimedOut(result) }
}
