//! The routes below `/v0.1`, `/beta` and `/v2`. What goes wrong there is answered with problems.

use std::any::Any;

use axum::Router;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::applications::{create, delete, list, show, update};
use super::problem::Problem;
use super::trace::add_trace_id;
use super::{dispatch, messages};
use crate::api::router::panic_message;
use crate::api::state::ApiState;

/// The first segments of this API's paths.
const ROOTS: [&str; 3] = ["v0.1", "beta", "v2"];

pub fn routes() -> Router<ApiState> {
    let routes = Router::new();
    let routes = mount(routes, "/v2/applications", get(list::list).post(create::create));
    let routes = mount(
        routes,
        "/v2/applications/{applicationId}",
        get(show::show).put(update::update).delete(delete::delete),
    );
    let routes = mount(routes, "/v0.1/dispatch", post(dispatch::create::create));
    let routes =
        mount(routes, "/v0.1/dispatch/{uuid}", get(dispatch::show::show).delete(dispatch::cancel::cancel));
    let routes = mount(routes, "/v0.1/dispatches", get(dispatch::list::list));
    let routes = mount(routes, "/v0.1/messages/{uuid}", get(messages::show::show));
    let routes = mount(routes, "/beta/workflows", post(dispatch::create::create_legacy));
    let routes = mount(routes, "/v0.1/messages", post(messages::send::send));
    // As it was called before; not documented.
    let routes = mount(routes, "/beta/messages", post(messages::send::send));
    with_problems(routes)
}

/// A path as clients write it: with a slash at its end or without. Whatever the query, two question marks or none,
/// it is the same path.
pub fn mount(routes: Router<ApiState>, path: &str, methods: MethodRouter<ApiState>) -> Router<ApiState> {
    routes.route(path, methods.clone()).route(&format!("{path}/"), methods)
}

/// What goes wrong on these routes is answered with problems, and everything carries a trace id.
pub fn with_problems(routes: Router<ApiState>) -> Router<ApiState> {
    routes
        .method_not_allowed_fallback(async || Problem::WrongVerb)
        .route_layer(CatchPanicLayer::custom(panicked))
        .route_layer(from_fn(add_trace_id))
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    Problem::Panicked(panic_message(panic)).into_response()
}

/// Whether a path that nothing is served at would be this API's.
pub(in crate::api) fn is_ours(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|root| ROOTS.contains(&root))
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_paths_below_the_roots_are_ours() {
        for path in ["/v0.1", "/v0.1/", "/v0.1/dispatch/x", "/beta/dispatch", "/v2/nothing"] {
            assert!(is_ours(path), "{path}");
        }
        for path in ["/", "", "/v0.10/dispatch", "/v1/messages", "/api/v2", "/betamax", "/api/beta/workflows"]
        {
            assert!(!is_ours(path), "{path}");
        }
    }
}
