//! Brings batches of spans to their collector. The exporter's own thread asks for it and knows no runtime.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{self, Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use tokio::runtime::Handle;
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient, OutboundRequest};

/// Traces of now are worth more than those that a slow collector did not take.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct PostSpans {
    http: OutboundClient,
    runtime: Handle,
    /// One line when a collector goes away, one when it is back.
    failing: AtomicBool,
}

impl std::fmt::Debug for PostSpans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostSpans").finish_non_exhaustive()
    }
}

impl PostSpans {
    /// Inside a runtime. The operator says where the collector is, so any address will do.
    pub(super) fn new() -> Self {
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { http, runtime: Handle::current(), failing: AtomicBool::new(false) }
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let request = OutboundRequest {
            method: head.method.to_string(),
            url: head.uri.to_string(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: Some(body.to_vec()),
            timeout: TIMEOUT,
            follow_redirects: false,
        };
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move { http.send(request).await }).await?;
        self.report(match &answer {
            Ok(response) if response.is_success() => None,
            Ok(response) => Some(format!("HTTP {} {}", response.status, response.reason)),
            Err(error) => Some(error.to_string()),
        });
        let answer = answer?;
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        Ok(response.body(answer.body.into())?)
    }

    fn report(&self, problem: Option<String>) {
        match (problem, self.failing.load(Ordering::Relaxed)) {
            (Some(problem), false) => {
                tracing::warn!(error = problem, "spans cannot be sent; those of this time are lost");
                self.failing.store(true, Ordering::Relaxed);
            }
            (None, true) => {
                tracing::info!("spans are sent again");
                self.failing.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

impl HttpClient for PostSpans {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.post(request))
    }
}
