//! `X-Nexmo-Trace-Id`: problems bring their own, everything else is given one.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

pub(super) const TRACE_ID: HeaderName = HeaderName::from_static("x-nexmo-trace-id");

/// 32 hexadecimal digits.
pub(super) fn fresh_id() -> String {
    Uuid::new_v4().simple().to_string()
}

pub(super) fn header_value(id: &str) -> HeaderValue {
    HeaderValue::from_str(id).expect("hexadecimal digits are visible ASCII")
}

pub(super) async fn add_trace_id(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().entry(TRACE_ID).or_insert_with(|| header_value(&fresh_id()));
    response
}
