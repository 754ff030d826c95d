//! `WaitForReply` (spec 3.5.7): parked under a correlation key until a message with it comes in.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use trunkline_connectors::correlation::reply_key;
use trunkline_workflow::outcome::Wait;
use trunkline_workflow::{inputs, timespan};

use super::{Activity, Input, input_required};

/// U-24.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes; an index entry has room for little more, and no address is longer.
const MAX_KEY: usize = 1_000;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(86_400);

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let members = input.members();
    let text = |name| inputs::text(&members, name).filter(|text| !text.trim().is_empty());
    let Some(from) = text("from") else { return input_required(input.step, "from") };
    let Some(channel) = text("channel") else { return input_required(input.step, "channel") };
    let due_after = match inputs::get(&members, "timeout").map(timespan::from_value) {
        None => DEFAULT_TIMEOUT,
        Some(Ok(timeout)) => timeout,
        Some(Err(error)) => return Activity::Failed { message: error.to_string() },
    };
    if due_after.is_zero() {
        return timed_out();
    }
    let key = reply_key(&channel, &from);
    if key.len() > MAX_KEY || key.contains('\0') {
        return Activity::Failed { message: format!("Step '{}': input 'from' is not valid.", input.step.id) };
    }
    Activity::Wait { wait: Wait::Reply { key }, due_after: due_after.max(SHORTEST_TIMEOUT) }
}

pub(super) fn replied(event: &RawValue) -> Activity {
    let reply: Value = serde_json::from_str(event.get()).unwrap_or_default();
    Activity::Done(json!({ "reply": reply }))
}

pub(super) fn timed_out() -> Activity {
    Activity::TimedOut(json!({ "reply": null }))
}
