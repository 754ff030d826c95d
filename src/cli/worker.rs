//! `trunkline worker`: claims jobs, executes them, completes them.

use super::error::CliError;
use super::reach_database;
use super::settings::{MetricsSettings, SealingStoreSettings, TraceSettings, WorkerSettings};
use super::shutdown::Shutdown;
use crate::metrics;

/// Execute steps; run as many as the load needs, on as many machines
#[derive(Debug, clap::Args)]
pub struct Worker {
    #[command(flatten)]
    work: WorkerSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
    #[command(flatten)]
    traces: TraceSettings,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl Worker {
    /// A database that is down does not end it, neither at the start nor later.
    pub(super) async fn run(self) -> Result<(), CliError> {
        let shutdown = Shutdown::on_signal()?;
        self.metrics.begin();
        let _tracing = self.traces.begin()?;
        let store = self.store.open()?;
        let settings = self.work.settings();
        let tools = self.work.tools();
        tracing::info!(worker.name = settings.name, "starting");
        let (drained, until_drained) = Shutdown::on_demand();
        let measuring = self.metrics.serve(metrics::of_worker(store.clone()), &until_drained).await?;
        tokio::select! {
            ready = reach_database::until_ready(&store) => ready?,
            () = shutdown.requested() => return Ok(()),
        }
        let worked = trunkline_workers::run(store.clone(), tools, settings, shutdown.requested()).await;
        drop(drained);
        if let Some(measuring) = measuring {
            let _ended = measuring.await;
        }
        store.close().await;
        worked.map_err(|_| CliError::EndedEarly("worker"))?;
        tracing::info!("stopped");
        Ok(())
    }
}
