//! A service of your own, such as a CRM, for definitions that call one: it remembers every request.
//!
//! | path ends in | answer |
//! | --- | --- |
//! | `/down` | 503 for the first attempt, then 200: what a step's `retry` is for |
//! | `/tickets` | 200 with a `ticketId`, which `SendToConverse` asks for |
//! | anything else | 200, `{"id": 7, "received": true}` |
//!
//! Attempts belong together by path and `Idempotency-Key`.

use std::collections::{BTreeMap, VecDeque};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::wire::write_timestamp;

use super::carrier::Sandbox;

/// Requests kept; the oldest give way.
const CAPACITY: usize = 1000;

/// Bytes kept of a body: enough to know it again.
const LONGEST_BODY: usize = 64 * 1024;

#[derive(Default)]
pub(super) struct ServiceRequests {
    oldest_first: VecDeque<ServiceRequest>,
    count: u64,
}

/// A request, and the status that it was answered with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceRequest {
    id: u64,
    method: String,
    /// Below `/sandbox/service`.
    path: String,
    query: Option<String>,
    /// Without `Authorization`.
    headers: BTreeMap<String, String>,
    /// JSON, else text; null when there is none.
    body: Value,
    status: u16,
    received_at: String,
}

impl ServiceRequests {
    /// Numbers the request, decides what it is answered, and keeps it.
    fn take(&mut self, request: ServiceRequest) -> (StatusCode, Value) {
        self.count += 1;
        let id = self.count;
        let (status, answer) = match request.path.rsplit('/').next() {
            Some("down") if !self.came_before(&request) => {
                (StatusCode::SERVICE_UNAVAILABLE, json!({"id": id, "received": false}))
            }
            Some("tickets") => {
                (StatusCode::OK, json!({"id": id, "received": true, "ticketId": format!("T-{id}")}))
            }
            _ => (StatusCode::OK, json!({"id": id, "received": true})),
        };
        if self.oldest_first.len() == CAPACITY {
            self.oldest_first.pop_front();
        }
        self.oldest_first.push_back(ServiceRequest { id, status: status.as_u16(), ..request });
        (status, answer)
    }

    fn came_before(&self, request: &ServiceRequest) -> bool {
        self.oldest_first.iter().any(|earlier| {
            earlier.path == request.path && earlier.idempotency_key() == request.idempotency_key()
        })
    }
}

impl ServiceRequest {
    fn idempotency_key(&self) -> Option<&String> {
        self.headers.get("idempotency-key")
    }
}

pub(super) async fn receive(
    State(sandbox): State<Sandbox>,
    method: Method,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let request = ServiceRequest {
        id: 0,
        method: method.to_string(),
        path: format!("/{path}"),
        query,
        headers: shown_headers(&headers),
        body: shown_body(&body),
        status: 0,
        received_at: write_timestamp(sandbox.now()),
    };
    let (status, answer) = sandbox.service_requests().take(request);
    (status, Json(answer))
}

/// The requests, newest first, as a bare array.
pub(super) async fn list(State(sandbox): State<Sandbox>) -> Json<Vec<ServiceRequest>> {
    Json(sandbox.service_requests().oldest_first.iter().rev().cloned().collect())
}

fn shown_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        if name == header::AUTHORIZATION {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        let text = shown.entry(name.to_string()).or_default();
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&value);
    }
    shown
}

fn shown_body(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let kept = &body[..body.len().min(LONGEST_BODY)];
    serde_json::from_slice(kept).unwrap_or_else(|_| String::from_utf8_lossy(kept).into_owned().into())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use chrono::DateTime;
    use trunkline_connectors::outbound::AddressPolicy;

    use super::*;
    use crate::sandbox::SandboxConfig;

    fn sandbox() -> Sandbox {
        Sandbox::new(SandboxConfig {
            webhook_url: "http://127.0.0.1:1/messages".to_owned(),
            webhook_authorization: None,
            account: "acme".to_owned(),
            sms_sub_account: "acme_sms".to_owned(),
            chat_sub_account: "acme_chat".to_owned(),
            callback_policy: AddressPolicy::default(),
            clock: || DateTime::UNIX_EPOCH,
        })
    }

    async fn post(sandbox: &Sandbox, path: &str, key: Option<&'static str>, body: &str) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("secret"));
        headers.append(header::ACCEPT, HeaderValue::from_static("a/b"));
        headers.append(header::ACCEPT, HeaderValue::from_static("c/d"));
        headers.extend(key.map(|key| {
            let name = header::HeaderName::from_static("idempotency-key");
            (name, HeaderValue::from_static(key))
        }));
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let (status, Json(answer)) = receive(
            State(sandbox.clone()),
            Method::POST,
            Path(path.to_owned()),
            RawQuery(query.map(str::to_owned)),
            headers,
            Bytes::copy_from_slice(body.as_bytes()),
        )
        .await;
        (status.as_u16(), answer)
    }

    async fn listed(sandbox: &Sandbox) -> Value {
        let Json(requests) = list(State(sandbox.clone())).await;
        serde_json::to_value(requests).unwrap()
    }

    #[tokio::test]
    async fn requests_are_remembered_without_their_credentials() {
        let sandbox = sandbox();
        for body in ["", "{\"a\": 1}", "a=1"] {
            post(&sandbox, "crm/cases?page=2&page=3", None, body).await;
        }
        let all = listed(&sandbox).await;
        let bodies: Vec<&Value> = all.as_array().unwrap().iter().map(|request| &request["body"]).collect();
        assert_eq!(bodies, [&json!("a=1"), &json!({"a": 1}), &Value::Null]);
        assert_eq!(
            all[1],
            json!({"id": 2, "method": "POST", "path": "/crm/cases", "query": "page=2&page=3",
                "headers": {"accept": "a/b, c/d"}, "body": {"a": 1}, "status": 200,
                "receivedAt": "1970-01-01T00:00:00.00Z"})
        );
    }

    #[tokio::test]
    async fn the_path_decides_what_is_answered() {
        let sandbox = sandbox();
        for (path, key, status, answer) in [
            ("orders", None, 200, json!({"id": 1, "received": true})),
            ("tickets", None, 200, json!({"id": 2, "received": true, "ticketId": "T-2"})),
            ("orders/down", Some("a"), 503, json!({"id": 3, "received": false})),
            ("orders/down", Some("a"), 200, json!({"id": 4, "received": true})),
            ("orders/down", Some("b"), 503, json!({"id": 5, "received": false})),
            ("shop/down", Some("a"), 503, json!({"id": 6, "received": false})),
            ("shop/down", None, 503, json!({"id": 7, "received": false})),
            ("shop/down", None, 200, json!({"id": 8, "received": true})),
            ("shutdown", None, 200, json!({"id": 9, "received": true})),
        ] {
            assert_eq!(post(&sandbox, path, key, "{}").await, (status, answer), "{path} {key:?}");
        }
        assert_eq!(listed(&sandbox).await[1]["status"], 200);
        assert_eq!(listed(&sandbox).await[2]["status"], 503);
    }

    #[tokio::test]
    async fn only_the_newest_requests_and_the_beginnings_of_bodies_are_kept() {
        let sandbox = sandbox();
        for _ in 0..=CAPACITY {
            post(&sandbox, "x", None, "").await;
        }
        post(&sandbox, "x", None, &"é".repeat(LONGEST_BODY)).await;
        let all = listed(&sandbox).await;
        assert_eq!(all.as_array().unwrap().len(), CAPACITY);
        assert_eq!((&all[0]["id"], &all[CAPACITY - 1]["id"]), (&json!(1002), &json!(3)));
        assert_eq!(all[0]["body"].as_str().unwrap().len(), LONGEST_BODY);
    }
}
