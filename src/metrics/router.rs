//! The routes.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use trunkline_store::Store;

use super::measure_database::Gauges;
use super::{show_autoscaling, show_fleet};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Of a server: it also looks at the database, for all of the installation.
pub fn of_server(store: Store) -> Router {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/fleet", get(show_fleet::show))
        .route("/autoscaling", get(show_autoscaling::show));
    routes.with_state(Gauges::of_installation(store))
}

/// Of a worker: what it counts itself.
pub fn of_worker(store: Store) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Gauges::of_process(store))
}

/// For an address of their own, where nobody else says that the process lives.
pub fn with_health(routes: Router) -> Router {
    routes.route("/healthz", get(async || "ok\n"))
}

async fn metrics(State(gauges): State<Gauges>) -> Response {
    gauges.bring_up_to_date().await;
    match trunkline_telemetry::render() {
        Some(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        None => (StatusCode::NOT_FOUND, "nothing is measured in this process\n").into_response(),
    }
}
