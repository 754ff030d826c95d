//! Serves a router on an address until it is told to stop. Handlers find the client's address in the request's
//! extensions, as axum's own server puts it there.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::error::CliError;

/// For a request's head, from the opening of the connection or the answer before it: whoever sends nothing, or
/// a byte at a time, does not hold a connection longer than this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

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
    let connections = take_connections(listener, router, stop, HEAD_TIMEOUT).await;
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!("requests that took longer than {} s were dropped", grace.as_secs());
    }
}

/// Ends with `stop` and gives back the connections that are still open; new ones are refused from then on.
async fn take_connections(
    mut listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    head_timeout: Duration,
) -> GracefulShutdown {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_timeout);
    let connections = GracefulShutdown::new();
    // Else the router makes its routes ready for every connection anew.
    let router = router.with_state(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut stop => return connections,
        };
        // What is to be sent is sent whole, or in portions of a MiB: waiting for more only costs time.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let service = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// All that comes until the connection ends.
    async fn read(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        tokio::time::timeout(LIMIT, stream.read_to_string(&mut text)).await.expect("it is open yet").unwrap();
        text
    }

    #[tokio::test]
    async fn a_client_that_says_no_more_loses_its_connection() {
        let (listener, address) = listener().await;
        let router = Router::new().route("/", get(|| async { "well" }));
        let head_timeout = Duration::from_millis(100);
        tokio::spawn(take_connections(listener, router, std::future::pending(), head_timeout));
        for (sent, answered) in [
            ("", false),
            ("GET / HTT", false),
            ("GET / HTTP/1.1\r\nhost: a\r\n", false),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /", true),
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            assert_eq!(read(&mut stream).await.ends_with("well"), answered, "{sent}");
        }
    }

    #[tokio::test]
    async fn a_handler_knows_who_called() {
        let (listener, address) = listener().await;
        let tell = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string();
        let router = Router::new().route("/", get(tell));
        tokio::spawn(take_connections(listener, router, std::future::pending(), Duration::from_millis(100)));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let us = stream.local_addr().unwrap().to_string();
        assert!(read(&mut stream).await.ends_with(&us));
    }

    #[tokio::test]
    async fn a_request_that_runs_at_the_stop_is_finished_and_the_next_is_refused() {
        let (listener, address) = listener().await;
        let (arrived, has_arrived) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel();
        let both = std::sync::Arc::new(std::sync::Mutex::new(Some((arrived, may_go_on))));
        let handler = async move || {
            let (arrived, may_go_on) = both.lock().unwrap().take().unwrap();
            arrived.send(()).unwrap();
            may_go_on.await.unwrap();
            "done"
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap() };
        let serving = tokio::spawn(serve(listener, Router::new().route("/", get(handler)), stopped, LIMIT));
        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        has_arrived.await.unwrap();
        stop.send(()).unwrap();
        assert_eq!(read(&mut idle).await, "");
        assert!(TcpStream::connect(address).await.is_err());
        assert!(!serving.is_finished());
        go_on.send(()).unwrap();
        assert!(read(&mut busy).await.ends_with("done"));
        tokio::time::timeout(LIMIT, serving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_request_that_does_not_end_is_dropped_after_the_grace() {
        let (listener, address) = listener().await;
        let router = Router::new().route("/", get(std::future::pending::<&str>));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap() };
        let serving = tokio::spawn(serve(listener, router, stopped, Duration::from_millis(50)));
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        stop.send(()).unwrap();
        tokio::time::timeout(LIMIT, serving).await.unwrap().unwrap();
    }
}
