//! `trunkline workers list|drain|undrain`: the fleet, as the database knows it.

use std::fmt::Write;
use std::time::Duration;

use clap::Subcommand;
use trunkline_store::workers::Worker;

use super::error::CliError;
use super::output::{Output, one_line, time};
use super::print_table::table;
use super::reach_database::reach;
use super::settings::DatabaseSettings;
use crate::metrics;

/// How long the database remembers those that left.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// List the workers, and drain one by its name
///
/// Workers belong to the installation and to no account: this reads the database itself, as `verify` does.
#[derive(Debug, clap::Args)]
pub struct WorkersCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the workers
    List {
        /// Also those that stopped or were lost in the past week
        #[arg(long)]
        all: bool,
        /// In which form
        #[arg(short, long, value_name = "FORM", value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Have a worker take nothing more
    ///
    /// What it is doing it finishes; what would follow is left to others. It is idle once `list` shows it with no
    /// step in hand. It stays so until it is undrained or its process ends: a worker that is started again works.
    Drain {
        /// The worker's name; all of that name are meant
        name: String,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Have a drained worker go on
    Undrain {
        /// The worker's name
        name: String,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl WorkersCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::List { all, output, database } => list(all, output, &database).await,
            Action::Drain { name, database } => drain(&name, true, &database).await,
            Action::Undrain { name, database } => drain(&name, false, &database).await,
        }
    }
}

async fn list(all: bool, output: Output, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    store.check_ready().await?;
    let workers = store.list_workers(if all { REMEMBERED } else { Duration::ZERO }).await?;
    match output {
        Output::Json => {
            let fleet = serde_json::to_string_pretty(&metrics::fleet(workers));
            println!("{}", fleet.expect("the fleet is plain data, which is always JSON"));
        }
        Output::Table if workers.is_empty() => println!("There is no worker."),
        Output::Table => print!("{}", as_table(workers)),
    }
    Ok(())
}

fn as_table(workers: Vec<Worker>) -> String {
    let rows: Vec<[String; 10]> = metrics::fleet(workers)
        .into_iter()
        .map(|worker| {
            let mut lease = String::new();
            let accounts = pool(worker.accounts.as_deref(), worker.except_accounts.as_deref());
            let steps = pool(worker.steps.as_deref(), worker.except_steps.as_deref());
            write!(lease, "{:.0} s ago", worker.lease_age_seconds).expect("a string takes all");
            [
                one_line(&worker.name),
                worker.incarnation.to_string(),
                worker.state.to_owned(),
                worker.busy.to_string(),
                worker.slots.to_string(),
                lease,
                time(&worker.started_at.into()),
                worker.version,
                one_line(&accounts),
                steps,
            ]
        })
        .collect();
    table(
        [
            "name",
            "incarnation",
            "state",
            "busy",
            "slots",
            "seen",
            "started (UTC)",
            "version",
            "accounts",
            "steps",
        ],
        &rows,
    )
}

fn pool(only: Option<&[String]>, except: Option<&[String]>) -> String {
    match (only, except) {
        (Some(only), _) => only.join(","),
        (None, Some(except)) => format!("all but {}", except.join(",")),
        (None, None) => "all".to_owned(),
    }
}

async fn drain(name: &str, draining: bool, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    store.check_ready().await?;
    if store.drain_workers(name, draining).await? == 0 {
        return Err(CliError::NoWorker(name.to_owned()));
    }
    if draining {
        println!(
            "Worker `{name}` takes nothing more. It is idle once `trunkline workers list` shows 0 busy."
        );
    } else {
        println!("Worker `{name}` goes on.");
    }
    Ok(())
}
