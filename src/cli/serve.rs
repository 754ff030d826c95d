//! `trunkline serve`: the HTTP APIs, on the database of the deployment.

use trunkline_store::clock;

use super::error::CliError;
use super::settings::{ListenSettings, MetricsSettings, SealingStoreSettings, TraceSettings};
use super::shutdown::Shutdown;
use super::{listen, reach_database};
use crate::api::{self, ApiState};
use crate::metrics;

/// Serve the HTTP APIs; steps are executed by `trunkline worker`
#[derive(Debug, clap::Args)]
pub struct Serve {
    #[command(flatten)]
    server: ListenSettings,
    #[command(flatten)]
    metrics: MetricsSettings,
    #[command(flatten)]
    traces: TraceSettings,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl Serve {
    /// A database that is down does not end it: requests are answered with 503 meanwhile. The wrong master key
    /// does.
    pub(super) async fn run(self) -> Result<(), CliError> {
        let shutdown = Shutdown::on_signal()?;
        self.metrics.begin();
        let _tracing = self.traces.begin()?;
        let store = self.store.open()?;
        let measuring = self.metrics.serve(metrics::of_server(store.clone()), &shutdown).await?;
        let state = ApiState::new(store.clone(), clock::now, self.server.api_config());
        let listener = listen::bind(self.server.listen).await?;
        let address = listener.local_addr().unwrap_or(self.server.listen);
        tracing::info!("listening on http://{address}");
        let watched = store.clone();
        let mut watch = tokio::spawn(async move { reach_database::until_ready(&watched).await });
        let outcome = tokio::select! {
            () = listen::serve(listener, api::router(state), shutdown.requested(), self.server.grace()) => Ok(()),
            // Requests that run meanwhile have nothing to gain from a grace.
            Ok(Err(error)) = &mut watch => Err(error),
        };
        watch.abort();
        if let Some(measuring) = measuring {
            measuring.abort();
        }
        store.close().await;
        outcome?;
        tracing::info!("stopped");
        Ok(())
    }
}
