//! A batch is made: counted first, then confirmed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, ValueEnum};
use serde_json::{Map, Value, json};
use trunkline_workflow::InstanceId;

use super::confirm::confirm;
use super::follow_batch::follow_batch;
use super::progress::{count, sentence};
use super::show_dry_run::show_dry_run;
use crate::cli::command::Cli;
use crate::cli::error::CliError;
use crate::cli::how_to_rerun::{choice, parse_from, parse_version};
use crate::cli::instance::{Conditions, parse_instance};
use crate::cli::output::{Output, cell, print_json};
use crate::cli::settings::AccountApi;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Rerun,
    Suspend,
    Resume,
    Terminate,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Rerun => "rerun",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
        }
    }

    /// As in `Run 3 instances again?`
    fn question(self, instances: &str) -> String {
        match self {
            Self::Rerun => format!("Run {instances} again?"),
            Self::Suspend => format!("Suspend {instances}?"),
            Self::Resume => format!("Resume {instances}?"),
            Self::Terminate => format!("Terminate {instances}?"),
        }
    }
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "the words of a command line")]
pub(super) struct CreateBatch {
    /// What is done to the instances
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    conditions: Conditions,
    /// These instances, in the place of conditions; may be given more than once
    #[arg(
        long = "instance",
        value_name = "ID",
        value_parser = parse_instance,
        conflicts_with = "Conditions",
        required_unless_present = "Conditions"
    )]
    instances: Vec<InstanceId>,
    /// From where they are run again: `failed`, `start`, a step's id or `message:2` [default: failed]
    #[arg(long, value_name = "WHERE", value_parser = parse_from)]
    rerun_from: Option<Value>,
    /// On which version: `same`, `newest` or a number [default: same]
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    rerun_version: Option<Value>,
    /// A JSON object whose members replace those of their contexts
    #[arg(long, value_name = "FILE")]
    rerun_context: Option<PathBuf>,
    /// Run again also those that were run again before; else they are skipped
    #[arg(long)]
    again: bool,
    /// Instances a second, at most [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: Option<u32>,
    /// Instances that are dealt with at the same moment, at most [default: 4]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16))]
    concurrency: Option<u32>,
    /// Why, for the audit
    #[arg(long)]
    reason: Option<String>,
    /// The same request with the same key makes no other batch within 24 hours
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Count, and do nothing
    #[arg(long, conflicts_with_all = ["yes", "follow"])]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Tell how far it is until it has ended
    #[arg(short, long)]
    follow: bool,
}

impl CreateBatch {
    /// Ends the process when there are words that say nothing of what is to be done.
    pub(super) fn check(&self) {
        let of_reruns = [
            ("--rerun-from", self.rerun_from.is_some()),
            ("--rerun-version", self.rerun_version.is_some()),
            ("--rerun-context", self.rerun_context.is_some()),
            ("--again", self.again),
        ];
        let given = of_reruns.into_iter().find(|(_, is_given)| *is_given);
        if let Some((option, _)) = given
            && self.what != What::Rerun
        {
            let problem = format!("`{option}` is of `rerun`, and cannot be used with `{}`", self.what.name());
            Cli::command().error(ErrorKind::ArgumentConflict, problem).exit();
        }
    }

    fn body(&self) -> Result<Map<String, Value>, CliError> {
        let mut body = Map::from_iter([("action".to_owned(), json!(self.what.name()))]);
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        let filter = self.conditions.filter();
        if filter.is_empty() {
            put("instances", self.instances.iter().map(ToString::to_string).collect::<Vec<_>>().into());
        } else {
            put("filter", Value::Object(filter));
        }
        let context = self.rerun_context.as_deref();
        let choice = choice(self.rerun_from.as_ref(), self.rerun_version.as_ref(), context)?;
        if !choice.is_empty() {
            put("rerun", Value::Object(choice));
        }
        if self.again {
            put("again", json!(true));
        }
        for (name, number) in [("rate", self.rate), ("concurrency", self.concurrency)] {
            if let Some(number) = number {
                put(name, json!(number));
            }
        }
        if let Some(reason) = &self.reason {
            put("reason", json!(reason));
        }
        Ok(body)
    }
}

pub(super) async fn create_batch(
    api: &AccountApi,
    create: CreateBatch,
    output: Output,
) -> Result<ExitCode, CliError> {
    let mut body = create.body()?;
    let path = api.path("/batches");
    let mut dry = body.clone();
    dry.insert("dryRun".to_owned(), json!(true));
    let dry = api.server.post(&path, Value::Object(dry).to_string().into_bytes()).await?;
    match output {
        Output::Json if create.dry_run => print_json(&dry),
        Output::Json => {}
        Output::Table => show_dry_run(&dry),
    }
    if dry["hasMore"] == true {
        return Err(CliError::TooManyInstances);
    }
    if dry["total"] == 0 {
        return Err(CliError::NoInstances);
    }
    if create.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let instances = count(&dry["total"], "instance");
    if !create.yes && !confirm(&create.what.question(&instances))? {
        eprintln!("Nothing was done.");
        return Ok(ExitCode::FAILURE);
    }
    // No more than were confirmed, whatever matches by now. Ids are what they are, also those that are not found.
    if create.instances.is_empty() {
        body.insert("atMost".to_owned(), dry["total"].clone());
    }
    let body = Value::Object(body).to_string().into_bytes();
    let headers = [("Idempotency-Key", create.idempotency_key.as_deref())];
    let batch = api.server.post_with(&path, body, &headers).await?;
    let id = batch["batchId"].as_str().and_then(|id| id.parse().ok());
    if let Some(id) = id.filter(|_| create.follow) {
        if output == Output::Table {
            println!("Batch {id}");
        }
        return follow_batch(api, id, output).await;
    }
    match output {
        Output::Json => print_json(&batch),
        Output::Table => {
            println!("Batch {}", cell(&batch["batchId"]));
            println!("{}", sentence(&batch));
        }
    }
    Ok(ExitCode::SUCCESS)
}
