//! The command: its flags, and the order of things from the first check to the last.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use super::database::Database;
use super::env_file::EnvFile;
use super::run_all::run_all;
use crate::cli::error::CliError;
use crate::cli::listen;
use crate::cli::settings::{DEFAULT_ADDRESS, PoolSettings, Secret};
use crate::cli::shutdown::Shutdown;

pub const DEFAULT_DATA_DIR: &str = ".trunkline";

/// Run everything in one process, for development: server, workers, a sandbox carrier, and a PostgreSQL of its
/// own
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// Address and port to listen on, of this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value_t = DEFAULT_ADDRESS)]
    listen: SocketAddr,
    /// Where its data lies
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_DATA_DIR)]
    data_dir: PathBuf,
    /// Workers in the process
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=16))]
    workers: u16,
    /// Delete the data of earlier runs first
    #[arg(long)]
    reset: bool,
    /// A database to use [default: a private PostgreSQL in the data folder]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<Secret>,
    #[command(flatten)]
    pool: PoolSettings,
}

impl Dev {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let begun = Instant::now();
        if !self.listen.ip().is_loopback() {
            return Err(CliError::NotLoopback(self.listen));
        }
        // Deployments write an empty variable for "none".
        let url = self.database_url.as_ref().map(Secret::reveal).filter(|url| !url.trim().is_empty());
        if self.reset && url.is_some() {
            return Err(CliError::ResetOfForeignDatabase);
        }
        let shutdown = Shutdown::on_signal()?;
        // Looked at later: that the data folder is in use explains more than that the port is. But data is
        // not deleted for a start that cannot succeed.
        let listener = listen::bind(self.listen).await;
        if self.reset && listener.is_ok() {
            Database::remove(&self.data_dir).await?;
            EnvFile::remove(&self.data_dir)?;
        }
        let database = tokio::select! {
            database = Database::open(url, &self.data_dir, &self.pool) => database?,
            () = shutdown.requested() => return Ok(()),
        };
        let outcome = match listener {
            Ok(listener) => {
                run_all(&database, listener, &self.data_dir, self.workers, begun, &shutdown).await
            }
            Err(error) => Err(error),
        };
        database.close().await;
        outcome
    }
}
