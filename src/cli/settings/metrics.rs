//! Where metrics are served.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinHandle;

use crate::cli::error::CliError;
use crate::cli::listen;
use crate::cli::shutdown::Shutdown;
use crate::metrics;

/// Whoever scrapes tries again.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsSettings {
    /// Address and port of `/metrics`, for whoever operates the installation: no key is asked for, so it is not an
    /// address that the world reaches [default: none, and nothing is measured]
    #[arg(long, env = "TRUNKLINE_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
}

impl MetricsSettings {
    /// Has the process measure itself, if somebody is to see it: before anything else.
    pub fn begin(&self) {
        if self.metrics_listen.is_some() {
            trunkline_telemetry::install();
        }
    }

    /// Serves these routes, and that the process lives, until the shutdown.
    pub(in crate::cli) async fn serve(
        &self,
        routes: Router,
        shutdown: &Shutdown,
    ) -> Result<Option<JoinHandle<()>>, CliError> {
        let Some(address) = self.metrics_listen else { return Ok(None) };
        let listener = listen::bind(address).await?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!("metrics at http://{address}/metrics");
        let routes = metrics::with_health(routes);
        let serving = listen::serve(listener, routes, shutdown.requested(), GRACE);
        Ok(Some(tokio::spawn(async move {
            tokio::select! {
                () = serving => {}
                () = metrics::keep_tidy() => {}
            }
        })))
    }
}
