//! `Wait` (spec 3.5.6): a delayed job.

use serde_json::json;
use trunkline_workflow::outcome::Wait;
use trunkline_workflow::{inputs, timespan};

use super::{Activity, Input, input_required};

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let Some(duration) = input.value.as_object().and_then(|members| inputs::get(members, "duration")) else {
        return input_required(input.step, "duration");
    };
    match timespan::from_value(duration) {
        Ok(duration) if duration.is_zero() => Activity::Done(json!({})),
        Ok(due_after) => Activity::Wait { wait: Wait::Timer, due_after },
        Err(error) => Activity::Failed { message: error.to_string() },
    }
}
