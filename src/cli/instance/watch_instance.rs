//! An instance, followed to its end.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_workflow::InstanceId;

use super::command::explain;
use super::why::ending;
use crate::cli::error::CliError;
use crate::cli::output::{Output, cell};
use crate::cli::settings::AccountApi;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(700);

pub(super) async fn watch_instance(
    api: &AccountApi,
    id: InstanceId,
    output: Output,
) -> Result<ExitCode, CliError> {
    let mut told: HashMap<String, String> = HashMap::new();
    loop {
        let explanation = explain(api, id).await?;
        for step in explanation["steps"].as_array().into_iter().flatten() {
            let line = line(step, output);
            let before = told.insert(cell(&step["id"]), line.clone());
            if before.as_ref() != Some(&line) {
                println!("{line}");
            }
        }
        if explanation["completedAt"].is_string() {
            match output {
                Output::Table => println!("{}", ending(&explanation)),
                Output::Json => println!(
                    "{}",
                    json!({"status": explanation["status"], "completedAt": explanation["completedAt"]})
                ),
            }
            let complete = explanation["status"] == "Complete";
            return Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A step as it is at the moment.
fn line(step: &Value, output: Output) -> String {
    if output == Output::Json {
        let members = ["step", "status", "attempts", "error", "blockedOn"];
        let shown: serde_json::Map<String, Value> =
            members.into_iter().map(|member| (member.to_owned(), step[member].clone())).collect();
        return Value::Object(shown).to_string();
    }
    let (name, status) = (cell(&step["step"]), cell(&step["status"]));
    let told = if step["error"].is_string() { &step["error"] } else { &step["blockedOn"]["message"] };
    if told.is_null() { format!("{name}: {status}") } else { format!("{name}: {status}. {}", cell(told)) }
}
