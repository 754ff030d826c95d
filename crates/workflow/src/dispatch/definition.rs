//! The steps of every workflow: a loop over its messages.
//!
//! ```text
//!  ┌─▶ message ──rejected──▶ next message, or report
//!  │      │ taken, or nobody knows
//!  │   status ──reached──▶ report
//!  └──────┘ not reached, not in time: next message, or report
//! ```

use serde_json::{Value, json};

/// Of a message that is sent by itself: the context has it, as `message`.
pub fn message_steps() -> Value {
    json!([{
        "id": "message",
        "stepType": "SendMessage",
        "outputs": {"sent": "{{step}}"},
    }])
}

/// The context has the request's `workflow`, and `next`: the position of the message that is sent next. What sends it
/// reads it there, because what scripts read they may alter: long numbers, the order of members.
pub fn steps() -> Value {
    const LEFT: &str = "data.next < data.workflow.length";
    json!([
        {
            "id": "message",
            "stepType": "SendMessage",
            "outputs": {"next": "{{data.next + 1}}", "sent": "{{step}}", "isMet": "{{false}}"},
            "selectNextStep": {
                "status": "{{step.status != 'rejected'}}",
                "message": format!("{{{{step.status == 'rejected' && {LEFT}}}}}"),
                "report": null,
            },
        },
        {
            "id": "status",
            "stepType": "WaitForStatus",
            "inputs": {
                "message": "{{data.sent.message_uuid}}",
                "condition": "{{data.sent.condition}}",
                "deadline": "{{data.sent.deadline}}",
            },
            "outputs": {"isMet": "{{step.isMet}}"},
            "selectNextStep": {
                "message": format!("{{{{!step.isMet && {LEFT}}}}}"),
                "report": null,
            },
        },
        {"id": "report", "stepType": "ReportOutcome", "inputs": {"isMet": "{{data.isMet}}"}},
    ])
}
