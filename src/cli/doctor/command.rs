//! The command: what is looked at, and how it is told.

use std::process::ExitCode;

use serde_json::json;

use super::check_database::check_database;
use super::check_server::check_server;
use super::finding::{Finding, State};
use crate::cli::error::CliError;
use crate::cli::output::{Output, one_line, print_json};
use crate::cli::settings::{ApiSettings, PoolSettings, Secret};

/// Say what is wrong with an installation, and what to do
///
/// Asks the server by its API, and the database where `DATABASE_URL` says which. Changes nothing. A line for each thing
/// that is looked at: ok, warning or problem. Exits with 0 when there is no problem, with 1 when there is one or, with
/// `--strict`, a warning; with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    api: ApiSettings,
    /// The database, when it is to be looked at: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<Secret>,
    #[command(flatten)]
    pool: PoolSettings,
    /// Warnings count as problems
    #[arg(long)]
    strict: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

impl Doctor {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        let mut findings = Vec::new();
        match self.api.open() {
            Ok(api) => check_server(&api, &mut findings).await,
            // Of the two at least one.
            Err(error) if self.database_url.is_none() => return Err(error),
            Err(_) => findings.push(Finding::skipped("server", "nothing says where it is: `TRUNKLINE_URL`")),
        }
        match &self.database_url {
            Some(url) => {
                let store = self.pool.open(url.reveal())?;
                check_database(&store, url.reveal(), &mut findings).await;
            }
            None => {
                findings.push(Finding::skipped("database", "nothing says where it is: `DATABASE_URL`"));
            }
        }
        let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
        match self.output {
            Output::Json => print_json(&json!({"state": worst, "checks": findings})),
            Output::Table => print(&findings),
        }
        let accepted = if self.strict { State::Skipped } else { State::Warning };
        Ok(if worst > accepted { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn print(findings: &[Finding]) {
    for Finding { check, state, found, todo } in findings {
        println!("{:8} {check:14} {}", state.as_str(), one_line(found));
        if let Some(todo) = todo {
            println!("{:23} -> {}", "", one_line(todo));
        }
    }
}
