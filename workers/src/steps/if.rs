//! `If` (spec 3.5.5): its condition decides whether the bodies run; it goes on when they have ended.

use serde_json::{Value, json};

use super::{Activity, Input};

pub(super) fn execute(input: &Input<'_>) -> Activity {
    if input.value == Value::Bool(true) && !input.step.bodies.is_empty() {
        Activity::EnterBodies
    } else {
        Activity::Done(json!({}))
    }
}
