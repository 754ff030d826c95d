//! Serves a router on an address until it is told to stop.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::error::CliError;

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

/// Takes connections until `stop`, then finishes the requests it has; those that are not done within `grace`
/// are dropped.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) {
    // Answers are small and complete: waiting for more to send only costs time.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let (tell, stopping) = oneshot::channel();
    let stop = async move {
        stop.await;
        // Nobody listens when serving has ended by itself.
        let _unheard = tell.send(());
    };
    let finished = axum::serve(listener, router).with_graceful_shutdown(stop).into_future();
    let too_late = async {
        if stopping.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = finished => {
            if let Err(error) = result {
                tracing::error!(%error, "the server ended");
            }
        }
        () = too_late => tracing::warn!("requests that took longer than {} s were dropped", grace.as_secs()),
    }
}
