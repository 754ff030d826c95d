//! Counts requests by their route's template, so that nothing that callers sent becomes a label.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use trunkline_telemetry::{Counter, Histogram, counter, declared, histogram};

/// Where no route matched.
const UNMATCHED: &str = "unmatched";
/// In front of the names of the platform's webhooks.
const WEBHOOKS: &str = "/webhooks/v1/accounts/{accountId}/";

pub(super) async fn count_requests(request: Request, next: Next) -> Response {
    if !trunkline_telemetry::is_installed() {
        return next.run(request).await;
    }
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    COUNTED.count(route, method, response.status(), begun.elapsed());
    response
}

/// Callers may make methods up.
fn name(method: &Method) -> &'static str {
    const KNOWN: [(&Method, &str); 7] = [
        (&Method::GET, "GET"),
        (&Method::POST, "POST"),
        (&Method::PUT, "PUT"),
        (&Method::PATCH, "PATCH"),
        (&Method::DELETE, "DELETE"),
        (&Method::HEAD, "HEAD"),
        (&Method::OPTIONS, "OPTIONS"),
    ];
    KNOWN.iter().find(|(known, _)| *known == method).map_or("other", |(_, name)| name)
}

/// The handles by route, as many as there are routes: each is looked up once.
#[derive(Default)]
struct Counted(RwLock<HashMap<Box<str>, Answers>>);

type Answers = HashMap<(&'static str, StatusCode), Arc<Handles>>;

struct Handles {
    requests: Counter,
    seconds: Histogram,
    webhooks: Option<Counter>,
}

static COUNTED: LazyLock<Counted> = LazyLock::new(Counted::default);

impl Counted {
    fn count(&self, route: &str, method: &'static str, status: StatusCode, took: Duration) {
        let handles = self.handles(route, method, status);
        handles.requests.increment(1);
        handles.seconds.record(took);
        if let Some(webhooks) = &handles.webhooks {
            webhooks.increment(1);
        }
    }

    fn handles(&self, route: &str, method: &'static str, status: StatusCode) -> Arc<Handles> {
        const WHOLE: &str = "nothing panics while it holds this";
        if let Some(handles) =
            self.0.read().expect(WHOLE).get(route).and_then(|answers| answers.get(&(method, status)))
        {
            return handles.clone();
        }
        let handles = Arc::new(Handles {
            requests: counter(&declared::API_REQUESTS, [route, method, status.as_str()]),
            seconds: histogram(&declared::API_SECONDS, [route, method]),
            webhooks: webhook(route, method)
                .map(|kind| counter(&declared::WEBHOOKS, [kind, in_a_word(status)])),
        });
        let mut routes = self.0.write().expect(WHOLE);
        routes.entry(route.into()).or_default().insert((method, status), handles.clone());
        handles
    }
}

fn webhook<'a>(route: &'a str, method: &str) -> Option<&'a str> {
    route.strip_prefix(WEBHOOKS).filter(|_| method == "POST")
}

fn in_a_word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "accepted",
        500.. => "failed",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_known_by_their_route() {
        let messages = "/webhooks/v1/accounts/{accountId}/messages";
        assert_eq!(webhook(messages, "POST"), Some("messages"));
        assert_eq!(webhook(messages, "GET"), None);
        assert_eq!(webhook("/api/v1/accounts/{accountId}/usage", "POST"), None);
    }

    #[test]
    fn a_method_that_was_made_up_is_another() {
        assert_eq!(name(&Method::PATCH), "PATCH");
        assert_eq!(name(&Method::from_bytes(b"X-9f3a").unwrap()), "other");
    }
}
