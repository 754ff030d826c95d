//! An HTTP endpoint for steps to call: it keeps what it got and answers by path.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::sync::watch;
use trunkline_connectors::clock;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    #[allow(dead_code, reason = "`tests/failure` asks for it")]
    pub at: Instant,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Scripted = (StatusCode, Value);

pub struct Endpoint {
    pub url: String,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    /// What paths that a test set up answer, the last answer again and again.
    scripts: Arc<Mutex<HashMap<String, VecDeque<Scripted>>>>,
    /// Answers are given while this is true.
    answering: watch::Sender<bool>,
    answered: Arc<AtomicUsize>,
}

impl Endpoint {
    pub async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    /// At another address of this machine.
    pub async fn start_at(address: Ipv4Addr) -> Self {
        let shared = Shared {
            received: Arc::default(),
            scripts: Arc::default(),
            answering: watch::Sender::new(true),
            answered: Arc::default(),
        };
        let router = Router::new().fallback(routing::any(answer)).with_state(shared.clone());
        Self { url: serve_at(address, router).await, shared }
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// From now on the path answers these one after the other, and the last one for ever.
    pub fn script(&self, path: &str, answers: &[(u16, Value)]) {
        let answers =
            answers.iter().map(|(status, body)| (StatusCode::from_u16(*status).unwrap(), body.clone()));
        self.shared.scripts.lock().unwrap().insert(path.to_owned(), answers.collect());
    }

    /// The bodies that came in at a path.
    pub fn bodies_at(&self, path: &str) -> Vec<Value> {
        let received = self.received();
        let at_path = received.iter().filter(|request| request.target.split('?').next() == Some(path));
        at_path.map(Received::json).collect()
    }

    /// Requests are kept, their answers wait for [`Endpoint::give_answers`].
    pub fn hold_answers(&self) {
        self.shared.answering.send_replace(false);
    }

    pub fn give_answers(&self) {
        self.shared.answering.send_replace(true);
    }

    /// Requests that were not held, or not any more.
    #[allow(dead_code, reason = "`tests/failure` asks for it")]
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let path = parts.uri.path().to_owned();
    let method = parts.method.to_string();
    let (count, is_first) = {
        let mut received = shared.received.lock().unwrap();
        let is_first = received.iter().all(|earlier| earlier.target != target);
        received.push(Received { method, target, headers: parts.headers, body, at: Instant::now() });
        (received.len(), is_first)
    };
    let mut answering = shared.answering.subscribe();
    answering.wait_for(|answering| *answering).await.unwrap();
    shared.answered.fetch_add(1, Ordering::Relaxed);
    let scripted = {
        let mut scripts = shared.scripts.lock().unwrap();
        scripts.get_mut(&path).and_then(|answers| match answers.len() {
            0 | 1 => answers.front().cloned(),
            _ => answers.pop_front(),
        })
    };
    if let Some((status, body)) = scripted {
        return (status, axum::Json(body)).into_response();
    }
    match path.as_str() {
        "/html" => ([(header::CONTENT_TYPE, "text/html")], "<html></html>").into_response(),
        "/empty" => StatusCode::NO_CONTENT.into_response(),
        "/404" => (StatusCode::NOT_FOUND, axum::Json(json!({"reason": "gone"}))).into_response(),
        "/much-later" => {
            let later = [(header::RETRY_AFTER, u64::MAX.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, later, axum::Json(json!({}))).into_response()
        }
        // At first.
        "/at-a-date" if is_first => {
            let at = clock::now() + TimeDelta::seconds(4);
            let later = [(header::RETRY_AFTER, at.format("%a, %d %b %Y %H:%M:%S GMT").to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, later, axum::Json(json!({}))).into_response()
        }
        "/hangs" => std::future::pending().await,
        "/count" => axum::Json(json!({"count": count})).into_response(),
        "/large" => format!("\"{}\"", "x".repeat(1 << 20)).into_response(),
        _ => axum::Json(json!({"ok": true, "list": [1, 2], "nested": {"a": {"b": "deep"}}})).into_response(),
    }
}

/// Serves a router on a port of its own; gives the URL.
pub async fn serve(router: Router) -> String {
    serve_at(Ipv4Addr::LOCALHOST, router).await
}

async fn serve_at(address: Ipv4Addr, router: Router) -> String {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
