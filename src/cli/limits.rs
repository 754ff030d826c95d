//! `trunkline limits show|set`: what an account may do at once.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::error::CliError;
use super::output::{Output, cell, print_json};
use super::settings::ApiSettings;

/// Show or set how often an account sends, when it is quiet, and how much of it is under way at once
///
/// Talks to the server's API, not to its database. Exits with 0; with 1 when the server refuses or cannot be reached;
/// with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct LimitsCommand {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    api: ApiSettings,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "table", global = true)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print all limits, with `-o json` as `set` takes them
    Show,
    /// Replace all limits by those of a file; one with `{}` limits nothing
    Set {
        /// Limits as JSON
        file: PathBuf,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

impl LimitsCommand {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let api = self.api.open()?;
        let path = api.path("/limits");
        let limits = match self.action {
            Action::Show => api.server.get(&path).await?,
            Action::Set { file, reason } => {
                let read = std::fs::read(&file);
                let read = read.map_err(|source| CliError::File { action: "read", path: file, source })?;
                api.server.put_with(&path, read, &[("Trunkline-Reason", reason.as_deref())]).await?
            }
        };
        match self.output {
            Output::Json => print_json(&limits),
            Output::Table => println!("{}", sentences(&limits).join("\n")),
        }
        Ok(())
    }
}

/// One for each limit.
fn sentences(limits: &Value) -> Vec<String> {
    let items = |member: &Value| member.as_array().cloned().unwrap_or_default();
    let zone = |hours: &Value| {
        let zone = if hours["timeZone"].is_string() { &hours["timeZone"] } else { &limits["timeZone"] };
        zone.as_str().unwrap_or("UTC").to_owned()
    };
    let rate = |rate: &Value| format!("{} messages per {}", cell(&rate["messages"]), cell(&rate["per"]));
    let mut sentences = Vec::new();
    for of_account in items(&limits["rates"]) {
        sentences.push(format!("account: {}", rate(&of_account)));
    }
    for sender in items(&limits["senders"]) {
        for of_sender in items(&sender["rates"]) {
            sentences.push(format!("sender {}: {}", cell(&sender["sender"]), rate(&of_sender)));
        }
    }
    for of_recipient in items(&limits["recipients"]) {
        sentences.push(format!("each recipient: {}", rate(&of_recipient)));
    }
    for hours in items(&limits["quietHours"]) {
        let list = |member: &str, all: &str| {
            let words: Vec<String> = items(&hours[member]).iter().map(cell).collect();
            if words.is_empty() { all.to_owned() } else { words.join(", ") }
        };
        sentences.push(format!(
            "quiet: {}-{} in {}; days: {}; channels: {}",
            cell(&hours["from"]),
            cell(&hours["to"]),
            zone(&hours),
            list("days", "all"),
            list("channels", "all")
        ));
    }
    if !limits["concurrency"].is_null() {
        sentences.push(format!("account: {} steps at once", cell(&limits["concurrency"])));
    }
    for definition in items(&limits["definitions"]) {
        let (id, most) = (cell(&definition["definitionId"]), cell(&definition["concurrency"]));
        sentences.push(format!("definition {id}: {most} steps at once"));
    }
    if sentences.is_empty() {
        sentences.push("Nothing is limited.".to_owned());
    }
    sentences
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_limit_is_a_line() {
        let limits = json!({
            "timeZone": "Europe/Berlin",
            "rates": [{"messages": 30, "per": "second"}],
            "senders": [{"sender": "acme_sms", "rates": [{"messages": 5, "per": "minute"}]}],
            "quietHours": [{"from": "21:00", "to": "08:00", "channels": ["sms", "voice"]}],
            "concurrency": 20,
        });
        let expected = [
            "account: 30 messages per second",
            "sender acme_sms: 5 messages per minute",
            "quiet: 21:00-08:00 in Europe/Berlin; days: all; channels: sms, voice",
            "account: 20 steps at once",
        ];
        assert_eq!(sentences(&limits), expected);
        assert_eq!(sentences(&json!({})), ["Nothing is limited."]);
    }
}
