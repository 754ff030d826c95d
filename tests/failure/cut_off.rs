//! A worker that cannot reach the database any more, while everything else can: nothing that it holds stays with it,
//! and it begins nothing once its lease has passed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::processes::{LEASE, WorkerProcess};
use crate::proxy::{Cut, Exchange, Fate, Flow, Proxy};
use crate::support::extent::{either, pass, promised};
use crate::support::{Endpoint, TestApp, definition, http_client, until};
use crate::verify::verify;

fn lease() -> u64 {
    LEASE.parse().unwrap()
}

fn call(url: &str, step: &str) -> Value {
    json!({"id": step, "stepType": "HttpRequest",
        "inputs": {"url": format!("{url}/json"), "method": "POST", "parameters": {"n": "{{data.n}}"},
            "timeoutSeconds": 60}})
}

/// Wherever it was in a transaction, the locks of that do not keep what it held from the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_in_a_transaction_holds_nobody_up() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let fork = json!({"id": "fork", "stepType": "Branch",
        "selectNextStep": {"left": "{{true}}", "right": "{{true}}"}});
    let steps = json!([fork, call(&endpoint.url, "left"), call(&endpoint.url, "right")]);
    let id = app.define(definition(steps)).await;
    let exchange = Exchange::Transaction("trunkline-worker");
    for n in (0..).step_by(either(8, 1)) {
        let proxy = Proxy::before(app.direct_url()).await;
        let cut_off = WorkerProcess::start(&proxy.url());
        until("it works", || async { cut_off.log().contains("worker registered") }).await;
        proxy.arm(exchange, Cut::ClientGone(n));
        let path = app.start_instance(&id, json!({"n": n})).await;
        let is_decided = || async { matches!(proxy.fate(), Fate::Held | Fate::Passed) };
        until("it is cut off", is_decided).await;
        if proxy.fate() == Fate::Passed {
            assert!(n > 8, "the transaction has {n} statements");
            break;
        }
        let begun = Instant::now();
        let _other = WorkerProcess::start(app.direct_url());
        let ended = || async { app.get(&path).await.expect(200)["completedAt"].is_string() };
        until("another worker does its work", ended).await;
        let took = begun.elapsed();
        assert!(took < promised(lease() + 5), "statement {n}: {took:?}");
        let before = app.get(&format!("{path}?includeLogs=true")).await.expect(200);
        proxy.let_through(Flow::BOTH);
        proxy.release();
        let lives = || async { cut_off.log().matches("worker registered").count() == 2 };
        until("it learns of its end and begins anew", lives).await;
        assert_eq!(app.get(&format!("{path}?includeLogs=true")).await.expect(200), before);
    }
    verify(app.direct_url()).await;
}

/// The database moves to another machine, or the one between is started anew: what was connected waits for answers
/// that never come, and only whoever connects anew gets any.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_without_a_word_are_given_up() {
    let app = TestApp::start().await;
    let proxy = Proxy::before(app.direct_url()).await;
    let worker = WorkerProcess::start(&proxy.url());
    until("it works", || async { worker.log().contains("worker registered") }).await;
    let server = WorkerProcess::start_server(&proxy.url(), &[("TRUNKLINE_LISTEN", "127.0.0.1:0")]);
    let url = server.url_after("listening on ").await;
    let steps = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:01"}}]);
    let id = app.define(definition(steps)).await;
    let path = format!("{url}/api/v1/accounts/{}/definitions/{id}/workflows", app.account());
    let http = http_client();
    let start = async || {
        let request = http.post(&path).bearer_auth(app.key()).json(&json!({}));
        let begun = Instant::now();
        let status = request.send().await.unwrap().status().as_u16();
        assert!(begun.elapsed() < promised(30), "a customer waited {:?} for {status}", begun.elapsed());
        assert!(status == 201 || status == 503, "{status} {}", server.log());
        status == 201
    };
    let all_ended = || async {
        let open = "select count(*) from instances where completed_at is null";
        sqlx::query_scalar::<_, i64>(open).fetch_one(app.store().pool()).await.unwrap() == 0
    };
    for _ in 0..either(1, 20) {
        // All of its connections are in use.
        futures::future::join_all((0..20).map(|_| until("it is accepted", &start))).await;
        proxy.bury_connections();
        let buried = Instant::now();
        futures::future::join_all((0..20).map(|_| start())).await;
        until("somebody is accepted again", &start).await;
        until("timers are released and steps are done", &all_ended).await;
        assert!(buried.elapsed() < promised(30), "{:?}", buried.elapsed());
    }
    verify(app.direct_url()).await;
}

/// So may those that are being opened, wherever they are on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_first_connections_die_without_a_word_begins_with_others() {
    let app = TestApp::start().await;
    for opened in either(2..=3, 1..=12) {
        let proxy = Proxy::before(app.direct_url()).await;
        proxy.bury_as_opened(opened);
        let worker = WorkerProcess::start(&proxy.url());
        until("it works", || async { worker.log().contains("worker registered") }).await;
    }
}

/// One way or both: what it had claimed and not begun is begun by others alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_cut_off_begins_nothing_after_its_lease() {
    for round in 0..either(2, 100) {
        begins_nothing_after_its_lease(FLOWS[round % FLOWS.len()]).await;
    }
}

/// Only the connections that it claims, completes and renews by: what else it asks is answered, so that nothing but its
/// lease keeps it from going on.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_renew_begins_nothing_after_its_lease() {
    for round in 0..either(1, 50) {
        let app = TestApp::start().await;
        let endpoint = Endpoint::start().await;
        let proxy = Proxy::before(app.direct_url()).await;
        let cut_off = WorkerProcess::start(&proxy.url());
        let story = Story { app: &app, endpoint: &endpoint, cut_off: &cut_off };
        let let_through = |flow| proxy.let_through_of("trunkline-worker", flow);
        let start_another = || WorkerProcess::start(app.direct_url());
        story.tell(FLOWS[round % FLOWS.len()], let_through, start_another).await;
        verify(app.direct_url()).await;
    }
}

const FLOWS: [Flow; 3] = [Flow::NEITHER, Flow::ANSWERS_LOST, Flow::REQUESTS_LOST];

/// Half a second of the only evaluator, before each call.
const SLOW: &str = "{{Array.from({length: 1500}).map((x, i) => Array.from({length: 1000}).map((y, j) => i * j).length).length}}";
const INSTANCES: usize = 16;

async fn begins_nothing_after_its_lease(flow: Flow) {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let proxy = Proxy::before(app.direct_url()).await;
    let cut_off = WorkerProcess::start(&proxy.url());
    let story = Story { app: &app, endpoint: &endpoint, cut_off: &cut_off };
    story.tell(flow, |flow| proxy.let_through(flow), || WorkerProcess::start(app.direct_url())).await;
    verify(app.direct_url()).await;
}

/// Of a worker that is cut off from the database while the endpoint is there for it.
pub struct Story<'a> {
    pub app: &'a TestApp,
    pub endpoint: &'a Endpoint,
    pub cut_off: &'a WorkerProcess,
}

impl Story<'_> {
    pub async fn tell(
        &self,
        flow: Flow,
        let_through: impl Fn(Flow),
        start_another: impl Fn() -> WorkerProcess,
    ) {
        let Self { app, endpoint, cut_off } = self;
        let mut slow = call(&endpoint.url, "call");
        slow["inputs"]["body"] = json!({"slow": SLOW});
        let id = app.define(definition(json!([slow]))).await;
        let started = (0..INSTANCES).map(|n| app.start_instance(&id, json!({"n": n})));
        let paths = futures::future::join_all(started).await;
        until("it calls", || async { !endpoint.received().is_empty() }).await;
        let_through(flow);
        // A call that was begun may take a moment to come here.
        let over = Duration::from_secs(lease() + 1);
        pass(over).await;
        let before = endpoint.received().len();
        assert!(before < INSTANCES, "there is nothing left that it could begin");
        pass(over).await;
        assert_eq!(endpoint.received().len(), before, "{flow:?}: {}", cut_off.log());

        let _other = start_another();
        until("the other worker takes over", || async { endpoint.received().len() > before }).await;
        let_through(Flow::BOTH);
        for path in &paths {
            let complete = || async { app.get(path).await.expect(200)["status"] == "Complete" };
            until("every instance ends well", complete).await;
        }
        let lives = || async { cut_off.log().matches("worker registered").count() == 2 };
        until("it learns of its end and begins anew", lives).await;
        let received = endpoint.received();
        let keys: HashSet<(&str, &str)> = received
            .iter()
            .map(|call| (call.target.as_str(), call.header("idempotency-key").unwrap()))
            .collect();
        assert_eq!(keys.len(), INSTANCES, "every attempt of a step has the same key");
    }
}
