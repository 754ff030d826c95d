//! The steps of every workflow: a loop over its messages.
//!
//! ```text
//!  ┌─▶ message ──rejected──▶ next message, or report
//!  │      │ taken, or nobody knows
//!  │   status ──reached──▶ report
//!  └──────┘ not reached, not in time: next message, or report
//! ```

use serde_json::{Value, json};

/// Of a message that is sent by itself: the context has it.
pub fn message_steps() -> Value {
    json!([{
        "id": "message",
        "stepType": "SendMessage",
        "inputs": {"message": "{{data.message}}", "isLast": "{{true}}"},
        "outputs": {"sent": "{{step}}"},
    }])
}

/// The context has the request's `workflow`, and `next`: the position of the message that is sent next.
pub fn steps() -> Value {
    const LEFT: &str = "data.next < data.workflow.length";
    json!([
        {
            "id": "message",
            "stepType": "SendMessage",
            "inputs": {
                "message": "{{data.workflow[data.next]}}",
                "isLast": "{{data.next + 1 == data.workflow.length}}",
            },
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
