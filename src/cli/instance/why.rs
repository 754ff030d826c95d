//! Why an instance waits.

use serde_json::{Value, json};

use crate::cli::output::{Output, cell, print_json, time};

pub(super) fn why(explanation: &Value, output: Output) {
    let steps = || explanation["steps"].as_array().into_iter().flatten();
    if output == Output::Json {
        let of = |member: &str| -> Vec<Value> {
            let told = steps().filter(|step| !step[member].is_null());
            told.map(|step| json!({"step": step["step"], member: step[member]})).collect()
        };
        print_json(&json!({
            "instanceId": explanation["instanceId"],
            "status": explanation["status"],
            "completedAt": explanation["completedAt"],
            "unfinished": of("blockedOn"),
            "failed": of("error"),
        }));
        return;
    }
    for step in steps().filter(|step| !step["blockedOn"].is_null()) {
        println!("{}: {}", cell(&step["step"]), cell(&step["blockedOn"]["message"]));
    }
    if explanation["completedAt"].is_string() {
        println!("{}", ending(explanation));
    }
}

/// How it ended, as a sentence.
pub(super) fn ending(explanation: &Value) -> String {
    let (status, at) = (cell(&explanation["status"]), time(&explanation["completedAt"]));
    let mut steps = explanation["steps"].as_array().into_iter().flatten();
    let failed = steps.rfind(|step| step["status"] == "Failed");
    match failed.filter(|_| explanation["status"] == "Terminated") {
        Some(step) => {
            format!("{status} at {at} UTC: step `{}` failed: {}", cell(&step["step"]), cell(&step["error"]))
        }
        None => format!("{status} at {at} UTC."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_step_that_failed() {
        let steps =
            json!([{"step": "a", "status": "Complete"}, {"step": "b", "status": "Failed", "error": "No.\n"}]);
        let mut instance =
            json!({"status": "Terminated", "completedAt": "2026-02-03T04:05:06.78Z", "steps": steps});
        let expected = "Terminated at 2026-02-03 04:05:06 UTC: step `b` failed: No. ";
        assert_eq!(ending(&instance), expected);
        instance["steps"][1]["status"] = "Cancelled".into();
        assert_eq!(ending(&instance), "Terminated at 2026-02-03 04:05:06 UTC.");
    }
}
