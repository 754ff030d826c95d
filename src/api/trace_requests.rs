//! A span for every request, under the caller's trace; what the request starts goes on under it.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use trunkline_telemetry::traces::{self, Span, SpanKind, TRACEPARENT, TraceContext};

pub(super) async fn trace_requests(request: Request, next: Next) -> Response {
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok());
    let parent = parent.and_then(TraceContext::parse);
    if parent.is_none() && !traces::is_exporting() {
        return next.run(request).await;
    }
    let method = request.method().as_str().to_owned();
    // Never the path itself: it is full of ids, and some hold secrets.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let name = route.as_ref().map_or_else(|| method.clone(), |route| format!("{method} {route}"));
    let mut span = Span::begin(SpanKind::Server, name, parent.as_ref());
    span.set("http.request.method", method);
    if let Some(route) = route {
        span.set("http.route", route);
    }
    let response = match span.context().cloned() {
        Some(context) => context.scope(next.run(request)).await,
        None => next.run(request).await,
    };
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail("");
    }
    response
}
