//! `trunkline worker`: claims jobs, executes them, completes them.

use super::error::CliError;
use super::reach_database;
use super::settings::{SealingStoreSettings, WorkerSettings};
use super::shutdown::Shutdown;

/// Execute steps; run as many as the load needs, on as many machines
#[derive(Debug, clap::Args)]
pub struct Worker {
    #[command(flatten)]
    worker: WorkerSettings,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl Worker {
    /// A database that is down does not end it, neither at the start nor later.
    pub(super) async fn run(self) -> Result<(), CliError> {
        let shutdown = Shutdown::on_signal()?;
        let store = self.store.open()?;
        let settings = self.worker.settings();
        let tools = self.worker.tools();
        tracing::info!(worker.name = settings.name, "starting");
        tokio::select! {
            ready = reach_database::until_ready(&store) => ready?,
            () = shutdown.requested() => return Ok(()),
        }
        let worked = trunkline_workers::run(store.clone(), tools, settings, shutdown.requested()).await;
        store.close().await;
        worked.map_err(|_| CliError::EndedEarly("worker"))?;
        tracing::info!("stopped");
        Ok(())
    }
}
