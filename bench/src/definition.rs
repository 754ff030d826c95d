//! What all parts run: a chain of Branch steps, each with two conditions to evaluate.

use serde_json::{Value, json};
use trunkline_workflow::definition::DefinitionInput;

/// `s1` to `s{steps}`; each goes on with the next, the last one's target does not exist, which ends it.
pub fn parse(steps: usize) -> anyhow::Result<DefinitionInput> {
    let steps: Vec<_> = (1..=steps)
        .map(|n| {
            let next = format!("s{}", n + 1);
            let routes = json!({
                next: format!("{{{{data.n == {n} || data.text == 'hello'}}}}"),
                "never": "{{data.n == 'x'}}",
            });
            json!({"id": format!("s{n}"), "stepType": "Branch", "selectNextStep": routes})
        })
        .collect();
    read(&json!(steps))
}

/// One step, which waits for a day.
pub fn parked() -> anyhow::Result<DefinitionInput> {
    read(&json!([{"id": "wait", "stepType": "Wait", "inputs": {"duration": "1.00:00:00"}}]))
}

/// One step, which waits for a day for a reply of the phone in its context.
pub fn awaiting_reply() -> anyhow::Result<DefinitionInput> {
    let inputs = json!({"from": "{{data.phone}}", "channel": "sms", "timeout": "1.00:00:00"});
    read(&json!([{"id": "ask", "stepType": "WaitForReply", "inputs": inputs}]))
}

fn read(steps: &Value) -> anyhow::Result<DefinitionInput> {
    let body = json!({
        "trigger": "http_request", "status": "enabled", "definition": {"name": "bench", "steps": steps}
    });
    Ok(trunkline_workflow::definition::parse(body.to_string().as_bytes(), &|_, _| Vec::new())?)
}
