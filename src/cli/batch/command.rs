//! The command: its actions and their arguments.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::create_batch::{CreateBatch, create_batch};
use super::follow_batch::follow_batch;
use super::list_items::{ListItems, list_items};
use super::progress::sentence;
use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::print_table::table;
use crate::cli::settings::{AccountApi, ApiSettings};

/// Run again, suspend, resume or terminate many instances
///
/// Talks to the server's API, not to its database. Exits with 0; with 1 when the server refuses or cannot be reached,
/// when nothing matches or nobody says yes, and when a batch that is followed is aborted or could not do something to
/// all its instances; with 2 when the command line is wrong.
#[derive(Debug, clap::Args)]
pub struct BatchCommand {
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
    /// Count the instances that match, ask, and do it to all of them
    Create(Box<CreateBatch>),
    /// List the batches, newest first
    List {
        /// How many to list at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Say how far a batch is
    Status {
        /// The batch
        id: Uuid,
        /// Go on until it has ended
        #[arg(short, long)]
        follow: bool,
    },
    /// List the instances of a batch, with what became of each
    Items(ListItems),
    /// Do nothing more until it is resumed
    Pause(Change),
    /// Go on
    Resume(Change),
    /// Do nothing more; what was done stays done
    Abort(Change),
}

#[derive(Debug, clap::Args)]
struct Change {
    /// The batch
    id: Uuid,
    /// Why, for the audit
    #[arg(long)]
    reason: Option<String>,
}

impl BatchCommand {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        if let Action::Create(create) = &self.action {
            create.check();
        }
        let (api, output) = (self.api.open()?, self.output);
        match self.action {
            Action::Create(create) => return create_batch(&api, *create, output).await,
            Action::List { limit } => list(&api, limit, output).await?,
            Action::Status { id, follow: true } => return follow_batch(&api, id, output).await,
            Action::Status { id, follow: false } => show(&find(&api, id).await?, output),
            Action::Items(items) => list_items(&api, &items, output).await?,
            Action::Pause(change) => control(&api, &change, "pause", output).await?,
            Action::Resume(change) => control(&api, &change, "resume", output).await?,
            Action::Abort(change) => control(&api, &change, "abort", output).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) async fn find(api: &AccountApi, id: Uuid) -> Result<Value, CliError> {
    api.server.get(&api.path(&format!("/batches/{id}"))).await
}

fn show(batch: &Value, output: Output) {
    if output == Output::Json {
        print_json(batch);
        return;
    }
    println!("batch     {}", cell(&batch["batchId"]));
    println!("action    {}", cell(&batch["action"]));
    if !batch["rerun"].is_null() {
        println!("how       {}", batch["rerun"]);
    }
    println!("filter    {}", cell(&batch["filter"]));
    println!("by        {}", cell(&batch["by"]["name"]));
    println!("reason    {}", cell(&batch["reason"]));
    println!("created   {}", time(&batch["createdAt"]));
    println!("ended     {}", time(&batch["endedAt"]));
    println!("progress  {}", sentence(batch));
}

async fn list(api: &AccountApi, limit: u32, output: Output) -> Result<(), CliError> {
    let batches = api.server.get(&api.path(&format!("/batches?limit={limit}"))).await?;
    if output == Output::Json {
        print_json(&batches);
        return Ok(());
    }
    let row = |batch: &Value| {
        let progress = &batch["progress"];
        [
            cell(&batch["batchId"]),
            cell(&batch["action"]),
            cell(&batch["state"]),
            cell(&progress["total"]),
            cell(&progress["done"]),
            cell(&progress["skipped"]),
            cell(&progress["failed"]),
            time(&batch["createdAt"]),
            cell(&batch["reason"]),
        ]
    };
    let rows: Vec<_> = batches.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        eprintln!("No batch.");
    }
    let header = ["id", "action", "state", "instances", "done", "skipped", "failed", "created", "reason"];
    print!("{}", table(header, &rows));
    Ok(())
}

async fn control(api: &AccountApi, change: &Change, command: &str, output: Output) -> Result<(), CliError> {
    let body = json!({ "command": command }).to_string().into_bytes();
    let path = api.path(&format!("/batches/{}", change.id));
    api.server.patch_with(&path, body, &[("Trunkline-Reason", change.reason.as_deref())]).await?;
    let batch = find(api, change.id).await?;
    match output {
        Output::Json => print_json(&batch),
        Output::Table => println!("{}", sentence(&batch)),
    }
    Ok(())
}
