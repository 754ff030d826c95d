//! Sends one request and reads its answer.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::ext::ReasonPhrase;
use reqwest::{Method, Url, header};
use rustls::{ClientConfig, RootCertStore};
use trunkline_telemetry::traces::{Span, SpanKind, TRACEPARENT, TraceContext};

use super::address_policy::AddressPolicy;
use super::describe_failure::OutboundError;
use super::follow_redirect::Hop;
use super::resolve_permitted::{Lookup, PermittedResolver, system_lookup};
use crate::recording::Recorder;

/// Answers are read up to here (spec U-05): they end up in the context of an instance.
pub const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

/// Redirects followed before giving up (spec 3.5.3).
const MAX_REDIRECTS: usize = 5;

/// Spec 8.1. Shorter than any timeout of a provider call, so that "never connected" is told apart.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Below the 5 s after which common servers close an idle connection: a request written into a
/// connection that is just being closed ends as "may have been accepted".
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Idle connections kept per host; bounds memory and file descriptors, not concurrency.
const POOL_IDLE_PER_HOST: usize = 32;

/// A request to be sent. Method and header names in any case.
#[derive(Clone)]
pub struct OutboundRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// For everything: name lookup, connecting, all redirects, reading the answer.
    pub timeout: Duration,
    /// Off, a redirect is an answer like any other.
    pub follow_redirects: bool,
}

/// Of what may hold a key (path and query, values of headers, body) nothing.
impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = Url::parse(self.url.trim()).map(|url| url.origin().ascii_serialization());
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OutboundRequest")
            .field("method", &self.method)
            .field("origin", &origin.ok())
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .field("follow_redirects", &self.follow_redirects)
            .finish_non_exhaustive()
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundResponse {
    pub status: u16,
    /// As the server wrote it, else the standard phrase of the status.
    pub reason: String,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl OutboundResponse {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The HTTP client. One per process: cloning it shares its connections.
#[derive(Clone)]
pub struct OutboundClient {
    http: reqwest::Client,
    policy: Arc<AddressPolicy>,
    observer: Option<Observer>,
    recorder: Option<Arc<Recorder>>,
    traces: Traces,
}

/// What a request is to the trace of the work that sends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Traces {
    /// Nothing.
    #[default]
    None,
    /// A span, of which the other side learns nothing.
    Span,
    /// A span that goes on at the other side: the request says so, unless it says something of its own.
    HandedOn,
}

/// Told of every request's end, and how long it took.
pub type Observer = fn(Result<&OutboundResponse, &OutboundError>, Duration);

impl OutboundClient {
    /// Reads the machine's certificates; do it once.
    pub fn new(policy: AddressPolicy) -> Self {
        Self::with_lookup(policy, system_lookup())
    }

    pub(super) fn with_lookup(policy: AddressPolicy, lookup: Lookup) -> Self {
        let policy = Arc::new(policy);
        let http = reqwest::Client::builder()
            .user_agent("automation")
            .tls_backend_preconfigured(tls_config())
            .dns_resolver(PermittedResolver { policy: Arc::clone(&policy), lookup })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
            .build()
            .expect("the settings are constants, and the TLS configuration is ready-made");
        Self { http, policy, observer: None, recorder: None, traces: Traces::None }
    }

    /// Sends the request once and follows its redirects.
    ///
    /// Any status is an `Ok`. Of an error, the variant says whether the request may have taken
    /// effect.
    pub async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let begun = Instant::now();
        let place = self.recorder.as_ref().map(|recorder| recorder.begin(&request));
        let answer = match TraceContext::current().filter(|_| self.traces != Traces::None) {
            Some(parent) => self.send_traced(request, &parent).await,
            None => self.send_in_time(request).await,
        };
        if let (Some(recorder), Some(place)) = (&self.recorder, place) {
            recorder.end(place, answer.as_ref(), begun.elapsed());
        }
        if let Some(observer) = self.observer {
            observer(answer.as_ref(), begun.elapsed());
        }
        answer
    }

    /// The same client, on the same connections, whose answers are also told to somebody.
    #[must_use]
    pub fn observed(&self, observer: Observer) -> Self {
        Self { observer: Some(observer), ..self.clone() }
    }

    /// The same client, whose calls are taken down.
    #[must_use]
    pub fn recorded(&self, recorder: Arc<Recorder>) -> Self {
        Self { recorder: Some(recorder), ..self.clone() }
    }

    /// The same client, on the same connections, whose requests belong to traces.
    #[must_use]
    pub fn traced(&self, traces: Traces) -> Self {
        Self { traces, ..self.clone() }
    }

    async fn send_traced(
        &self,
        mut request: OutboundRequest,
        parent: &TraceContext,
    ) -> Result<OutboundResponse, OutboundError> {
        let mut span = Span::begin(SpanKind::Client, request.method.clone(), Some(parent));
        span.set("http.request.method", request.method.clone());
        // Paths and queries hold ids and keys.
        if let Ok(url) = Url::parse(request.url.trim()) {
            span.set("server.address", url.host_str().unwrap_or_default().to_owned());
            span.set("server.port", url.port_or_known_default().map_or(0, i64::from));
        }
        let given = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TRACEPARENT));
        if let Some(context) = span.context().filter(|_| self.traces == Traces::HandedOn && !given) {
            request.headers.push((TRACEPARENT.to_owned(), context.to_string()));
        }
        let answer = self.send_in_time(request).await;
        match &answer {
            Ok(response) => {
                span.set("http.response.status_code", i64::from(response.status));
                if response.status >= 400 {
                    span.fail("");
                }
            }
            Err(error) => span.fail(error.in_a_word()),
        }
        answer
    }

    async fn send_in_time(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let timeout = request.timeout;
        let follow_redirects = request.follow_redirects;
        let hop = Hop::first(request)?;
        tokio::time::timeout(timeout, self.follow(hop, follow_redirects)).await.unwrap_or_else(|_| {
            Err(OutboundError::Unknown(format!("No response within {} seconds", timeout.as_secs_f64())))
        })
    }

    async fn follow(&self, mut hop: Hop, follow_redirects: bool) -> Result<OutboundResponse, OutboundError> {
        let mut redirects = 0;
        loop {
            let response = self.send_hop(&hop, redirects > 0).await?;
            let next = if follow_redirects {
                hop.next(response.status(), response.headers().get(header::LOCATION))?
            } else {
                None
            };
            match next {
                None => return read_response(response).await,
                Some(_) if redirects == MAX_REDIRECTS => {
                    return Err(OutboundError::Unknown(format!("More than {MAX_REDIRECTS} redirects")));
                }
                Some(next) => hop = next,
            }
            redirects += 1;
        }
    }

    /// The connector looks no literal address up, so the resolver never sees it. The URL parser has turned every
    /// other spelling (decimal, octal, hexadecimal, full-width) into this one.
    fn check_literal_address(&self, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) if !self.policy.permits(address) => {
                Err(OutboundError::Refused(format!("`{host}` may not be called from here")))
            }
            _ => Ok(()),
        }
    }

    async fn send_hop(&self, hop: &Hop, redirected: bool) -> Result<reqwest::Response, OutboundError> {
        self.check_literal_address(&hop.url)?;
        let mut request = self.http.request(hop.method.clone(), hop.url.clone()).headers(hop.headers.clone());
        match hop.body.as_ref().filter(|body| !body.is_empty()) {
            Some(body) => request = request.body(body.clone()),
            // Servers may answer 411 when these come without a length, which hyper leaves out for no body.
            None if matches!(hop.method, Method::POST | Method::PUT | Method::PATCH) => {
                request = request.header(header::CONTENT_LENGTH, 0);
            }
            None => {}
        }
        request.send().await.map_err(|error| OutboundError::of_hop(&error, redirected))
    }
}

async fn read_response(mut response: reqwest::Response) -> Result<OutboundResponse, OutboundError> {
    let status = response.status();
    let reason = match response.extensions().get::<ReasonPhrase>() {
        Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
        None => status.canonical_reason().unwrap_or_default().to_owned(),
    };
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let announced = response.content_length().unwrap_or_default();
    if usize::try_from(announced).map_or(true, |length| length > MAX_RESPONSE_BYTES) {
        return Err(OutboundError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| OutboundError::of_hop(&error, true))? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(OutboundResponse { status: status.as_u16(), reason, headers, body })
}

/// Mozilla's roots, so that a bare container can call out, and the machine's own, so that an
/// operator's certificate authority is trusted where he installed it.
fn tls_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "a certificate of this machine is not readable");
    }
    roots.add_parsable_certificates(native.certs);
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod address_spellings;
#[cfg(test)]
mod hostile_servers;
#[cfg(test)]
mod tests;
