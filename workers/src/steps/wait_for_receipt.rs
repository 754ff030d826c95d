//! `WaitForReceipt`, an extension: parked until a sent message, or a call, reached one of some states.

use std::time::Duration;

use serde_json::{Map, Value};
use trunkline_connectors::correlation::receipt_key;
use trunkline_workflow::inputs;
use trunkline_workflow::outcome::AwaitedEvent;

use super::{Activity, Input, input_required, text};
use crate::await_event::await_event;

pub(super) const OUTPUT: &str = "receipt";
/// SMS receipts come within 48 hours (spec 7.5).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2 * 86_400);
/// The states after which nothing but `read` follows: of messages, then of calls.
const FINAL: [&str; 14] = [
    "delivered",
    "undelivered",
    "failed",
    "rejected",
    "error",
    "read",
    "completed",
    "no_answer",
    "busy",
    "canceled",
    "completed_unsubscribed",
    "completed_unsub_error",
    "unsubscribed_contact",
    "expired",
];

pub(super) fn execute(input: &Input<'_>) -> Activity {
    let members = input.members();
    let Some(umid) = text(&members, "umid") else { return input_required(input.step, "umid") };
    let Some(states) = states(&members) else {
        let id = &input.step.id;
        let message = format!("Step '{id}': input 'states' must be a state or an array of states.");
        return Activity::Failed { message };
    };
    let awaited = (AwaitedEvent::Receipt { states }, receipt_key(&umid.trim().to_lowercase()));
    await_event(input, &members, DEFAULT_TIMEOUT, awaited, ("umid", OUTPUT))
}

/// `None`: neither a state nor some.
fn states(members: &Map<String, Value>) -> Option<Vec<String>> {
    let given: Vec<&Value> = match inputs::get(members, "states") {
        None => return Some(FINAL.map(str::to_owned).to_vec()),
        Some(Value::Array(states)) if !states.is_empty() => states.iter().collect(),
        Some(state) => vec![state],
    };
    let state = |value: &Value| match value.as_str()?.trim().to_lowercase() {
        // Both spellings occur (spec 7.6.4); calls are kept under one.
        state if state == "cancelled" => Some("canceled".to_owned()),
        state => Some(state),
    };
    let states: Option<Vec<String>> = given.into_iter().map(state).collect();
    states.filter(|states| states.iter().all(|state| !state.is_empty() && !state.contains('\0')))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_one_or_some_in_any_letter_case_and_the_final_ones_by_default() {
        let given = |value: Value| states(json!({ "states": value }).as_object().unwrap());
        assert_eq!(given(json!("Undelivered")), Some(vec!["undelivered".to_owned()]));
        assert_eq!(given(json!(["sent", " READ "])), Some(vec!["sent".to_owned(), "read".to_owned()]));
        assert_eq!(given(Value::Null).unwrap().len(), FINAL.len());
        for wrong in [json!([]), json!([1]), json!({}), json!(""), json!(["sent", null])] {
            assert_eq!(given(wrong.clone()), None, "{wrong}");
        }
    }
}
