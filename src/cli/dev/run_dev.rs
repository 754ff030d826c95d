//! The command: its flags, and the order of things from the first check to the last.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::database::Database;
use super::env_file::EnvFile;
use super::resolve_loopback::resolve_loopback;
use super::run_all::run_all;
use super::seed_master_key::{remove_master_key, seed_master_key};
use crate::cli::error::CliError;
use crate::cli::listen;
use crate::cli::settings::{DEFAULT_ADDRESS, MasterKeySettings, PoolSettings, Secret, TraceSettings};
use crate::cli::shell_word::{shell_word, this_program};
use crate::cli::shutdown::Shutdown;

pub const DEFAULT_DATA_DIR: &str = ".trunkline";

/// Run everything in one process, for development: server, workers, a sandbox carrier, and a PostgreSQL of its
/// own
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Address and port to listen on, of this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT_ADDRESS.to_string())]
    listen: String,
    /// Where its data lies
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// Workers in the process
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Delete the data of earlier runs first
    #[arg(long)]
    reset: bool,
    /// A database to use; `DATABASE_URL`, which may name a production's, is not read [default: a private
    /// PostgreSQL in the data folder]
    #[arg(long, value_name = "URL")]
    database_url: Option<Secret>,
    #[command(flatten)]
    pool: PoolSettings,
    #[command(flatten)]
    traces: TraceSettings,
    #[command(flatten)]
    master_key: MasterKeySettings,
}

impl Dev {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let begun = Instant::now();
        trunkline_telemetry::install();
        let _tracing = self.traces.begin()?;
        let address = resolve_loopback(&self.listen).await?;
        let url = self.database_url.as_ref().map(Secret::reveal).filter(|url| !url.trim().is_empty());
        if self.reset && url.is_some() {
            return Err(CliError::ResetOfForeignDatabase);
        }
        let keys = self.master_key.find()?;
        let shutdown = Shutdown::on_signal()?;
        // Looked at later: that the data folder is in use explains more than that the port is. But data is
        // not deleted for a start that cannot succeed.
        let listener = listen::bind(address).await;
        if self.reset && listener.is_ok() {
            Database::remove(&self.data_dir).await?;
            EnvFile::remove(&self.data_dir)?;
            remove_master_key(&self.data_dir)?;
        }
        if url.is_some() {
            tracing::warn!(
                "the database of `--database-url`: the messages and calls of all of its accounts go to the sandbox now \
                 and to no phone, past their connectors; no conversation is handed over"
            );
        }
        let mut database = tokio::select! {
            database = Database::open(url, &self.data_dir, &self.pool) => database?,
            () = shutdown.requested() => return Ok(()),
        };
        // Now that the data folder is there, and ours alone.
        let keys = keys.map_or_else(|| seed_master_key(&self.data_dir), Ok);
        let outcome = match (listener, keys) {
            (Ok(listener), Ok(keys)) => {
                database = database.with_master_keys(keys);
                let start_over = self.start_over();
                run_all(&database, listener, &self.data_dir, self.workers, &start_over, begun, &shutdown)
                    .await
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        database.close().await;
        outcome
    }

    /// The command that starts over, where this one runs.
    fn start_over(&self) -> String {
        let mut command = format!("{} dev", this_program());
        if self.data_dir != Path::new(DEFAULT_DATA_DIR) {
            let data_dir = std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
            command = format!("{command} --data-dir {}", shell_word(&data_dir.to_string_lossy()));
        }
        if self.listen != DEFAULT_ADDRESS.to_string() {
            command = format!("{command} --listen {}", shell_word(&self.listen));
        }
        command + " --reset"
    }
}
