//! The connection is cut at each message of a transaction, in both directions, or what was sent arrives long after
//! everybody stopped waiting. Whoever wrote finds out what became of it by reading back.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::processes::WorkerProcess;
use crate::proxy::{Cut, Exchange, Fate, Proxy};
use crate::support::extent::either;
use crate::support::{
    Endpoint, TestApp, WEBHOOK_SECRET, definition, enabled, http_client, inbound_sms, until,
};
use crate::verify::verify;

/// At the n-th point.
type Way = fn(usize) -> Cut;

/// Each way to cut, with the points of it that are left out after each one that is tried.
fn ways(stride: usize) -> [(Way, usize); 4] {
    let stride = either(stride, 1);
    [
        (Cut::MessageLost, stride),
        (Cut::AnswerLost, stride),
        (Cut::StatementLate, stride),
        (Cut::EndLate, stride),
    ]
}

/// Goes through the points of every way, until the exchange has no more of them. Answers how many were cut.
async fn at_every_point(stride: usize, mut round: impl AsyncFnMut(Cut) -> Fate) -> usize {
    let mut cuts = 0;
    for (way, stride) in ways(stride) {
        let before = cuts;
        for n in (0..).step_by(stride) {
            if round(way(n)).await == Fate::Passed {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > before, "nothing was cut");
    }
    println!("cut at {cuts} points");
    cuts
}

/// Once it is cut, or has passed; what is held back is released when everybody else is done, or waits for it.
async fn settled(proxy: &Proxy, app: &TestApp, done: impl AsyncFn() -> bool) -> Fate {
    let is_decided = async || matches!(proxy.fate(), Fate::Held | Fate::Cut | Fate::Passed);
    until("the exchange is cut", is_decided).await;
    if proxy.fate() == Fate::Held {
        until("everybody else is done", || async { done().await || is_anybody_locked_out(app).await }).await;
        proxy.release();
    }
    until("everything is done", || done()).await;
    until("the late part arrives", || async { matches!(proxy.fate(), Fate::Cut | Fate::Passed) }).await;
    proxy.fate()
}

async fn is_anybody_locked_out(app: &TestApp) -> bool {
    sqlx::query_scalar(
        "select exists (
             select from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'
         )",
    )
    .fetch_one(app.store().pool())
    .await
    .unwrap()
}

async fn count(app: &TestApp, statement: &'static str) -> usize {
    let count: i64 = sqlx::query_scalar(statement).fetch_one(app.store().pool()).await.unwrap();
    usize::try_from(count).unwrap()
}

/// A worker behind the proxy completes steps that call the endpoint; each must be called exactly once.
async fn completions(steps: fn(&str) -> Value, called: &[&str], exchange: Exchange, stride: usize) {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    let proxy = Proxy::before(app.direct_url()).await;
    let worker = WorkerProcess::start(&proxy.url());
    let id = app.define(definition(steps(&endpoint.url))).await;
    let rounds = AtomicUsize::new(0);
    at_every_point(stride, async |cut| {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        proxy.arm(exchange, cut);
        let path = app.start_instance(&id, json!({"round": round})).await;
        let show = async || app.get(&format!("{path}?includeLogs=true")).await.expect(200);
        let fate = settled(&proxy, &app, async || show().await["completedAt"].is_string()).await;
        let show = show().await;
        assert_eq!(show["status"], "Complete", "{cut:?} {show} {}", worker.log());
        let received = endpoint.received();
        for step in called {
            let target = format!("/json?round={round}&step={step}");
            let keys: Vec<_> = received.iter().filter(|call| call.target == target).collect();
            assert_eq!(keys.len(), 1, "{cut:?} {step} {keys:?} {}", worker.log());
        }
        fate
    })
    .await;
    drop(worker);
    verify(app.direct_url()).await;
}

fn call(url: &str, step: &str) -> Value {
    json!({"id": step, "stepType": "HttpRequest", "inputs": {"url": format!("{url}/json"), "method": "POST",
        "parameters": {"round": "{{data.round}}", "step": step}, "timeoutSeconds": 60},
        "outputs": {step: "{{step.responseBody.ok}}"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_is_settled_by_reading_back() {
    let steps = |url: &str| {
        let mut first = call(url, "first");
        first["nextStepId"] = "second".into();
        json!([first, call(url, "second")])
    };
    completions(steps, &["first", "second"], Exchange::Statement("as next_n"), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_under_a_lock_is_settled_by_reading_back() {
    let steps = |url: &str| {
        let mut first = call(url, "left");
        first["nextStepId"] = "then".into();
        let fork = json!({"id": "fork", "stepType": "Branch",
            "selectNextStep": {"left": "{{true}}", "right": "{{true}}"}});
        json!([fork, first, call(url, "right"), call(url, "then")])
    };
    let called = ["left", "right", "then"];
    completions(steps, &called, Exchange::Transaction("trunkline-worker"), 7).await;
}

/// A server behind the proxy, and who asks it.
struct Asked {
    app: TestApp,
    proxy: Proxy,
    url: String,
    http: reqwest::Client,
    // Last: the others are gone before it.
    server: WorkerProcess,
}

impl Asked {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let proxy = Proxy::before(app.direct_url()).await;
        let server = WorkerProcess::start_server(&proxy.url(), &[("TRUNKLINE_LISTEN", "127.0.0.1:0")]);
        let url = server.url_after("listening on ").await;
        Self { app, proxy, url, http: http_client(), server }
    }

    fn start_request(&self, definition: &str, round: usize) -> RequestBuilder {
        let path = format!("/api/v1/accounts/{}/definitions/{definition}/workflows", self.app.account());
        let request = self.http.request(Method::POST, format!("{}{path}", self.url));
        request.bearer_auth(self.app.key()).json(&json!({"round": round}))
    }

    /// The statuses that come, until one is the good one. A server that cannot say what became of a request says
    /// 503 and when to come again.
    async fn ask_until(&self, good: u16, request: impl Fn() -> RequestBuilder) -> Vec<u16> {
        let mut statuses = Vec::new();
        loop {
            let answer = request().send().await.expect("the server lives");
            statuses.push(answer.status().as_u16());
            if answer.status().as_u16() == good {
                return statuses;
            }
            assert_eq!(answer.status(), 503, "{}", self.server.log());
            assert!(answer.headers().contains_key("retry-after"));
        }
    }

    /// The same request again and again until it is answered; afterwards so many rows are there.
    async fn round(
        &self,
        (exchange, cut): (Exchange, Cut),
        good: u16,
        request: impl Fn() -> RequestBuilder,
        (statement, rows): (&'static str, usize),
    ) -> Fate {
        self.proxy.arm(exchange, cut);
        let answered = AtomicUsize::new(0);
        let asking = async {
            let statuses = self.ask_until(good, request).await;
            answered.store(1, Ordering::Relaxed);
            statuses
        };
        let settling = settled(&self.proxy, &self.app, async || answered.load(Ordering::Relaxed) == 1);
        let (statuses, fate) = futures::future::join(asking, settling).await;
        assert_eq!(count(&self.app, statement).await, rows, "{cut:?} {statuses:?}");
        fate
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_a_key_is_one_instance_however_often_it_is_repeated() {
    let asked = Asked::start().await;
    let id = asked.app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let mut round = 0;
    at_every_point(3, async |cut| {
        round += 1;
        let request = || asked.start_request(&id, round).header("Idempotency-Key", format!("key-{round}"));
        let exchange = Exchange::Transaction("trunkline");
        asked.round((exchange, cut), 201, request, ("select count(*) from instances", round)).await
    })
    .await;
    verify(asked.app.direct_url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_starts_one_instance_however_often_it_comes() {
    let asked = Asked::start().await;
    asked.app.define(enabled("inbound_sms", None)).await;
    let webhook = format!("{}/webhooks/v1/accounts/{}/messages", asked.url, asked.app.account());
    let mut round = 0;
    at_every_point(5, async |cut| {
        round += 1;
        let request = || {
            let message = inbound_sms(&format!("m-{round}"), "acme_sms");
            asked.http.post(&webhook).header("Authorization", WEBHOOK_SECRET).json(&message)
        };
        let exchange = Exchange::Transaction("trunkline");
        asked.round((exchange, cut), 200, request, ("select count(*) from instances", round)).await
    })
    .await;
    assert_eq!(count(&asked.app, "select count(*) from events").await, round);
    verify(asked.app.direct_url()).await;
}

/// Nobody can tell a start without a key from its repetition: it is answered with 503, and was done once or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_key_is_never_done_twice_by_itself() {
    let asked = Asked::start().await;
    let id = asked.app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    let mut round = 0;
    at_every_point(1, async |cut| {
        round += 1;
        asked.proxy.arm(Exchange::Statement("insert into instances"), cut);
        let answer = asked.start_request(&id, round).send().await.unwrap();
        let fate = settled(&asked.proxy, &asked.app, async || true).await;
        let of_round = sqlx::query_scalar("select count(*) from instances where data::json ->> 'round' = $1")
            .bind(round.to_string())
            .fetch_one(asked.app.store().pool());
        let started: i64 = of_round.await.unwrap();
        match answer.status().as_u16() {
            201 => assert_eq!(started, 1, "{cut:?}"),
            503 => assert!(started <= 1 && answer.headers().contains_key("retry-after"), "{cut:?} {started}"),
            other => panic!("{cut:?} {other}"),
        }
        fate
    })
    .await;
    verify(asked.app.direct_url()).await;
}
