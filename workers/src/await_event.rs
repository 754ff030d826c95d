//! What the steps that wait for an event have in common: a key, a timeout, and what came.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use trunkline_workflow::outcome::{Awaited, AwaitedEvent, Wait};
use trunkline_workflow::{inputs, timespan};

use crate::steps::{Activity, Input};

/// U-24.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes; an index entry has room for little more, and no address or id is longer.
const MAX_KEY: usize = 1_000;

/// Parks under `key`, which was made of the input `named`; `output` is null when the time is over.
pub(crate) fn await_event(
    input: &Input<'_>,
    members: &Map<String, Value>,
    default_timeout: Duration,
    (event, key): (AwaitedEvent, String),
    (named, output): (&str, &str),
) -> Activity {
    let due_after = match inputs::get(members, "timeout").map(timespan::from_value) {
        None => default_timeout,
        Some(Ok(timeout)) => timeout,
        Some(Err(error)) => return Activity::Failed { message: error.to_string() },
    };
    if due_after.is_zero() {
        return timed_out(output);
    }
    if key.len() > MAX_KEY || key.contains('\0') {
        return Activity::Failed {
            message: format!("Step '{}': input '{named}' is not valid.", input.step.id),
        };
    }
    let wait = Wait::Event(Awaited { event, key });
    Activity::Wait { wait, due_after: due_after.max(SHORTEST_TIMEOUT) }
}

pub(crate) fn came(output: &str, event: &RawValue) -> Activity {
    let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
    Activity::Done(Value::Object(Map::from_iter([(output.to_owned(), event)])))
}

pub(crate) fn timed_out(output: &str) -> Activity {
    Activity::TimedOut(Value::Object(Map::from_iter([(output.to_owned(), Value::Null)])))
}
