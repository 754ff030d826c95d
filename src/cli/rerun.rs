//! `trunkline rerun INSTANCE`: what has ended is run again.

use std::path::PathBuf;

use serde_json::Value;
use trunkline_workflow::InstanceId;

use super::error::CliError;
use super::how_to_rerun::{choice, parse_from, parse_version};
use super::instance::parse_instance;
use super::output::{Output, cell, print_json};
use super::settings::ApiSettings;

/// Run an instance that has ended again, as a new one
///
/// From the failed step, on the same version, with the context of that moment, unless told otherwise. Talks to the
/// server's API, not to its database. Exits with 0; with 1 when the server refuses, with the reason, or cannot be
/// reached; with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct Rerun {
    /// The instance: 24 hexadecimal digits
    #[arg(value_parser = parse_instance)]
    id: InstanceId,
    /// `failed`, `start`, a step's id (`step:start` for one that is called so), or `message:2` of a workflow of the
    /// Workflows API [default: failed]
    #[arg(long, value_name = "WHERE", value_parser = parse_from)]
    from: Option<Value>,
    /// `same`, `newest` or a version's number [default: same]
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    version: Option<Value>,
    /// A JSON object whose members replace those of the context, and remove those that are `null` [`-`: standard input]
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// Why, for the audit
    #[arg(long)]
    reason: Option<String>,
    /// The same request with the same key starts nothing within 24 hours
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    api: ApiSettings,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

impl Rerun {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let api = self.api.open()?;
        let choice = choice(self.from.as_ref(), self.version.as_ref(), self.context.as_deref())?;
        let headers = [
            ("Trunkline-Reason", self.reason.as_deref()),
            ("Idempotency-Key", self.idempotency_key.as_deref()),
        ];
        let path = api.path(&format!("/instances/{}/rerun", self.id));
        let body = Value::Object(choice).to_string().into_bytes();
        let started = api.server.post_with(&path, body, &headers).await?;
        match self.output {
            Output::Json => print_json(&started),
            Output::Table => {
                println!("Instance {} runs {} again.", cell(&started["instanceId"]), self.id);
                if let Some(dispatch) = started["dispatchUuid"].as_str() {
                    println!("It is workflow {dispatch}.");
                }
            }
        }
        Ok(())
    }
}
