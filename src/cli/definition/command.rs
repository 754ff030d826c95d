//! The command: its actions and their arguments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::diff_lines::diff_lines;
use super::find_definition::{find_by_name, newest};
use super::portable::portable;
use super::validate_file::validate_file;
use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json};
use crate::cli::settings::{AccountApi, ApiSettings};

/// Check, save and fetch definitions kept in files; pause, drain and resume them
///
/// Talks to the server's API, not to its database. Exits with 0; with 1 when the server refuses or cannot be reached,
/// when a file is not valid, and when `diff` finds a difference; with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct DefinitionCommand {
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
    /// Say all that is wrong with a file, without saving it
    Validate {
        /// A definition as JSON
        file: PathBuf,
    },
    /// Save a file: as a new version of the definition of its name, or as a new definition
    Push {
        /// A definition as JSON
        file: PathBuf,
        /// The definition that it is a new version of
        #[arg(long)]
        id: Option<Uuid>,
    },
    /// Print the newest version of a definition, as `push` takes it
    Pull {
        /// The definition
        id: Uuid,
    },
    /// Have nothing of a definition executed until it is resumed; what is started waits
    Pause(Which),
    /// Have a definition run again
    Resume(Which),
    /// Have a definition's instances go on to their end, and start none any more
    Drain(Which),
    /// Show what `push` would change: what is saved with `-`, what is in the file with `+`
    Diff {
        /// A definition as JSON
        file: PathBuf,
        /// The definition to compare it with; the one of its name when left out
        #[arg(long)]
        id: Option<Uuid>,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The definition
    id: Uuid,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl DefinitionCommand {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        let api = self.api.open()?;
        match self.action {
            Action::Validate { file } => return validate_file(&api, read(&file)?, self.output).await,
            Action::Push { file, id } => push(&api, &file, id, self.output).await?,
            Action::Pause(which) => set_state(&api, which, "pause", self.output).await?,
            Action::Resume(which) => set_state(&api, which, "resume", self.output).await?,
            Action::Drain(which) => set_state(&api, which, "drain", self.output).await?,
            Action::Pull { id } => print_json(&portable(&newest(&api, id).await?)),
            Action::Diff { file, id } => return diff(&api, &file, id, self.output).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|source| CliError::File { action: "read", path: file.to_owned(), source })
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Value, CliError> {
    serde_json::from_slice(bytes).map_err(|source| CliError::File {
        action: "read JSON from",
        path: file.to_owned(),
        source: source.into(),
    })
}

async fn push(api: &AccountApi, file: &Path, id: Option<Uuid>, output: Output) -> Result<(), CliError> {
    let bytes = read(file)?;
    let id = match id {
        Some(id) => Some(id),
        None => find_by_name(api, &parse(file, &bytes)?).await?,
    };
    let saved = match id {
        Some(id) => api.server.put(&api.path(&format!("/definitions/{id}")), bytes).await?,
        None => api.server.post(&api.path("/definitions"), bytes).await?,
    };
    match output {
        Output::Json => print_json(&json!({"id": saved["id"], "version": saved["version"]})),
        Output::Table => println!(
            "Saved `{}` as version {} of definition {}.",
            cell(&saved["definition"]["name"]),
            cell(&saved["version"]),
            cell(&saved["id"])
        ),
    }
    Ok(())
}

async fn diff(api: &AccountApi, file: &Path, id: Option<Uuid>, output: Output) -> Result<ExitCode, CliError> {
    let mine = parse(file, &read(file)?)?;
    let id = match id {
        Some(id) => Some(id),
        None => find_by_name(api, &mine).await?,
    };
    let saved = match id {
        Some(id) => portable(&newest(api, id).await?),
        None => Value::Null,
    };
    let mine = portable(&mine);
    if output == Output::Json {
        print_json(&json!({"saved": saved, "file": mine, "same": saved == mine}));
    } else if saved != mine {
        let text = |value: &Value| if value.is_null() { String::new() } else { format!("{value:#}") };
        print!("{}", diff_lines(&text(&saved), &text(&mine)));
    }
    Ok(if saved == mine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn set_state(api: &AccountApi, which: Which, verb: &str, output: Output) -> Result<(), CliError> {
    let path = api.path(&format!("/definitions/{}/{verb}", which.id));
    let state =
        api.server.post_with(&path, Vec::new(), &[("Trunkline-Reason", which.reason.as_deref())]).await?;
    match output {
        Output::Json => print_json(&state),
        Output::Table => {
            println!("Definition {} is {}.", cell(&state["definitionId"]), cell(&state["state"]));
        }
    }
    Ok(())
}
