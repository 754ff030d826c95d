//! The command: its actions and their arguments.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;
use trunkline_workflow::InstanceId;

use super::list_instances::{ListInstances, list_instances};
use super::show_history::show_history;
use super::show_instance::show_instance;
use super::watch_instance::watch_instance;
use super::why::why;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::settings::{AccountApi, ApiSettings};

/// Search instances, show one, tell its history, say why it waits, watch it
///
/// Talks to the server's API, not to its database. Exits with 0; with 1 when the server refuses or cannot be
/// reached, and when an instance that is watched is terminated; with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct InstanceCommand {
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
    /// List the instances of all definitions, newest first
    List(Box<ListInstances>),
    /// Show what an instance did, step by step
    Show {
        /// The instance: 24 hexadecimal digits
        #[arg(value_parser = parse_instance)]
        id: InstanceId,
    },
    /// Tell everything that happened to an instance: attempts with what they sent and got, receipts, events, commands
    History {
        /// The instance: 24 hexadecimal digits
        #[arg(value_parser = parse_instance)]
        id: InstanceId,
    },
    /// Say what each unfinished step waits for, or how the instance ended
    Why {
        /// The instance: 24 hexadecimal digits
        #[arg(value_parser = parse_instance)]
        id: InstanceId,
    },
    /// Tell what an instance does until it has ended
    Watch {
        /// The instance: 24 hexadecimal digits
        #[arg(value_parser = parse_instance)]
        id: InstanceId,
    },
}

impl InstanceCommand {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        let api = self.api.open()?;
        match self.action {
            Action::List(list) => list_instances(&api, *list, self.output).await?,
            Action::Show { id } => show_instance(&explain(&api, id).await?, self.output),
            Action::History { id } => show_history(&api, id, self.output).await?,
            Action::Why { id } => why(&explain(&api, id).await?, self.output),
            Action::Watch { id } => return watch_instance(&api, id, self.output).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) async fn explain(api: &AccountApi, id: InstanceId) -> Result<Value, CliError> {
    api.server.get(&api.path(&format!("/instances/{id}"))).await
}

pub(in crate::cli) fn parse_instance(text: &str) -> Result<InstanceId, String> {
    text.parse().map_err(|error: trunkline_workflow::ids::MalformedInstanceId| error.to_string())
}
