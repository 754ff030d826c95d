//! Workflows of the Workflows API on real worker processes: who is told of them, and what must hold whoever died.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_store::dispatches::NewDispatch;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::dispatch::{self, Flavour, Link, Status};
use uuid::Uuid;

use super::blockade::Blockade;
use super::processes::WorkerProcess;
use crate::nexmo::site::{API_KEY, basic};
use crate::support::{Endpoint, TestApp, until};

pub const MESSAGES: &str = "/v0.1/messages";

const BLOCKABLE: [&str; 2] = ["messages", "steps"];

pub struct House {
    pub app: TestApp,
    pub receiver: Endpoint,
    pub workers: Vec<WorkerProcess>,
    /// The header of the account's API key.
    pub credential: String,
}

#[derive(sqlx::FromRow)]
struct CallbackRow {
    id: i64,
    subject: String,
    body: String,
    state: String,
    attempts: i32,
}

impl House {
    /// The provider is at `provider`.
    pub async fn start(provider: &str, workers: usize) -> Self {
        let (app, receiver) = (TestApp::start().await, Endpoint::start().await);
        receiver.script("/st", &[(204, json!(null))]);
        let (store, account) = (app.store(), app.account());
        let settings = json!({"baseUrl": provider, "auth": {"type": "basic", "apiKey": "key"}});
        let connector = NewConnector {
            account,
            kind: ConnectorKind::MessagesApi,
            subaccount: None,
            settings: &settings,
            secret: Some("secret"),
        };
        assert!(store.set_connector(connector, &By::trunkline()).await.unwrap());
        store.ensure_nexmo_account(account, API_KEY, &By::trunkline()).await.unwrap().unwrap();
        let secret = ApiSecret::from_random(rand::random());
        assert!(matches!(
            store.add_secret(account, &secret, &By::trunkline()).await.unwrap(),
            AddedSecret::Added(_)
        ));
        for table in BLOCKABLE {
            Blockade::prepare(store, table).await;
        }
        let urls = CallbackUrls { status: Some(format!("{}/st", receiver.url)), inbound: None };
        assert!(store.set_account_callbacks(account, &urls, &By::trunkline()).await.unwrap());
        let workers = (0..workers).map(|_| WorkerProcess::start(app.database_url())).collect();
        Self { app, receiver, workers, credential: basic(API_KEY, secret.reveal()) }
    }

    /// Starts a workflow as the API does, without its limit of requests.
    pub async fn begin(&self, workflow: Value) -> Uuid {
        let id = Uuid::new_v4();
        let body = json!({"template": "failover", "workflow": workflow}).to_string();
        let new = NewDispatch {
            link: Link { id, flavour: Flavour::Dispatch },
            account: self.app.account().clone(),
            application: None,
            request: dispatch::parse(body.as_bytes()).unwrap(),
            parent: None,
            at: clock::now(),
        };
        self.app.store().start_dispatch(new).await.unwrap();
        id
    }

    /// Starts a workflow at a server.
    pub async fn post(&self, server: &str, workflow: Value) -> Uuid {
        let body = json!({"template": "failover", "workflow": workflow}).to_string();
        let request = crate::support::http_client()
            .request(Method::POST, format!("{server}/v0.1/dispatch"))
            .header(AUTHORIZATION, &self.credential)
            .header(CONTENT_TYPE, "application/json");
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), 202);
        let accepted: Value = response.json().await.unwrap();
        accepted["dispatch_uuid"].as_str().unwrap().parse().unwrap()
    }

    /// The provider says something of a message.
    pub async fn says(&self, message: Uuid, status: Status) {
        let mut body = json!({"message_uuid": "p", "status": status, "client_ref": message,
            "timestamp": "2026-02-03T04:05:06.117Z"});
        if status.is_failure() {
            body["error"] = json!({"code": 1120, "reason": "Illegal sender"});
        }
        self.app.webhook_to("message-status", body).await.expect_empty(200);
    }

    /// Kills the worker that holds the workflow's job, once one does, and starts another.
    pub async fn kill_holder(&mut self, dispatch: Uuid) {
        let holder = || async {
            let name: Option<String> = sqlx::query_scalar(
                "select w.name
                 from dispatches d
                 join jobs j on j.instance_id = d.instance_id
                 join workers w on w.id = j.worker
                 where d.id = $1",
            )
            .bind(dispatch)
            .fetch_optional(self.app.store().pool())
            .await
            .unwrap();
            name.and_then(|name| self.workers.iter().position(|worker| worker.name == name))
        };
        until("a worker holds the job", || async { holder().await.is_some() }).await;
        let holder = holder().await.expect("it was held a moment ago and nobody gives it up");
        self.kill(holder);
    }

    /// Kills a worker and starts another in its place.
    pub fn kill(&mut self, worker: usize) {
        self.workers[worker].kill();
        self.workers[worker] = WorkerProcess::start(self.app.database_url());
    }

    /// Until the workflow waits for its message.
    pub async fn waits(&self, dispatch: Uuid) {
        until("the workflow waits for a status", || async {
            let query = "select count(*) from waits where kind = 'receipt'
                 and instance_id = (select instance_id from dispatches where id = $1)";
            self.count(query, dispatch).await == 1
        })
        .await;
    }

    /// The deadline of the message that the workflow waits for is now.
    pub async fn deadline_passes(&self, dispatch: Uuid) {
        self.waits(dispatch).await;
        let moved = sqlx::query(
            "update waits set due_at = now()
             where kind = 'receipt' and instance_id = (select instance_id from dispatches where id = $1)",
        )
        .bind(dispatch)
        .execute(self.app.store().pool())
        .await
        .unwrap();
        assert_eq!(moved.rows_affected(), 1);
    }

    /// Until the workflow has come to this outcome, and its instance to its end.
    pub async fn ends(&self, dispatch: Uuid, outcome: &str) {
        let found = || async {
            let found: Option<(Option<String>, bool)> = sqlx::query_as(
                "select d.outcome, i.completed_at is not null
                 from dispatches d
                 join instances i on i.id = d.instance_id
                 where d.id = $1",
            )
            .bind(dispatch)
            .fetch_optional(self.app.store().pool())
            .await
            .unwrap();
            found.expect("the workflow exists")
        };
        until("the workflow ends", || async { found().await.1 }).await;
        assert_eq!(found().await.0.as_deref(), Some(outcome));
    }

    async fn count(&self, query: &'static str, dispatch: Uuid) -> i64 {
        sqlx::query_scalar(query).bind(dispatch).fetch_one(self.app.store().pool()).await.unwrap()
    }

    /// What was told of a message in the database, in order.
    pub async fn told(&self, message: Uuid) -> Vec<String> {
        sqlx::query_scalar("select event from callbacks where subject = $1 order by id")
            .bind(message.to_string())
            .fetch_all(self.app.store().pool())
            .await
            .unwrap()
    }

    /// Calls that a dead worker was making, or whose receiver did not answer, are made now and not after their pause.
    /// Those that are just being made are left alone: a call to this machine takes no two seconds, a lease is 60.
    pub async fn hurry_callbacks(&self) {
        sqlx::query("update callbacks set due_at = now() where due_at between now() and now() + interval '58 seconds'")
            .execute(self.app.store().pool())
            .await
            .unwrap();
    }

    /// Ends the story. Whoever died, everything was told, in order, each thing once but for the calls that were cut
    /// off, and every workflow has come to its end and said so once.
    pub async fn finish(self) {
        let store = self.app.store();
        until("all is told", || async {
            self.hurry_callbacks().await;
            let open =
                "select count(*) from callbacks where state in ('pending', 'queued') and $1 is not null";
            self.count(open, Uuid::nil()).await == 0
        })
        .await;
        let calls: Vec<CallbackRow> =
            sqlx::query_as("select id, subject, body, state, attempts from callbacks order by id")
                .fetch_all(store.pool())
                .await
                .unwrap();
        let mut came: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut order: Vec<Vec<u8>> = Vec::new();
        for request in self.receiver.received() {
            let times = came.entry(request.body.to_vec()).or_default();
            *times += 1;
            if *times == 1 {
                order.push(request.body.to_vec());
            }
        }
        let place = |body: &str| order.iter().position(|came| came == body.as_bytes());
        let mut last_of: HashMap<&str, usize> = HashMap::new();
        for call in &calls {
            assert_eq!(call.state, "delivered", "{}: {}", call.id, call.body);
            let times = came.get(call.body.as_bytes()).copied().unwrap_or_default();
            let attempts = usize::try_from(call.attempts).unwrap();
            assert!((1..=attempts).contains(&times), "{times} times in {attempts} attempts: {}", call.body);
            let at = place(&call.body).expect("it came");
            let before = last_of.insert(&call.subject, at);
            assert!(before.is_none_or(|before| before < at), "out of order: {}", call.body);
        }
        assert_eq!(order.len(), calls.len(), "nothing else was told");
        let bodies: HashSet<&str> = calls.iter().map(|call| call.body.as_str()).collect();
        assert_eq!(bodies.len(), calls.len(), "each thing is told once");
        let open: Vec<Uuid> = sqlx::query_scalar("select id from dispatches where outcome is null")
            .fetch_all(store.pool())
            .await
            .unwrap();
        assert!(open.is_empty(), "lost: {open:?}");
        let reports: Vec<(i64,)> = sqlx::query_as(
            "select (select count(*) from callbacks c where c.subject = d.id::text and c.event = 'report')
             from dispatches d",
        )
        .fetch_all(store.pool())
        .await
        .unwrap();
        assert!(reports.iter().all(|(count,)| *count == 1), "each is reported once: {reports:?}");
        let violations = store.verify().await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

/// A message to this number; with a condition it has to reach that in `expiry` seconds.
pub fn message(number: &str, failover: Option<(u32, &str)>) -> Value {
    let mut message = json!({
        "from": {"type": "sms", "number": "447700900001"},
        "to": {"type": "sms", "number": number},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}},
    });
    if let Some((expiry, condition)) = failover {
        message["failover"] = json!({"expiry_time": expiry, "condition_status": condition});
    }
    message
}

/// A message that has to be delivered within `expiry` seconds, then another one.
pub fn two(expiry: u32) -> Value {
    json!([message("447700900010", Some((expiry, "delivered"))), message("447700900020", None)])
}

/// A provider that takes every message.
pub async fn provider() -> Endpoint {
    let provider = Endpoint::start().await;
    provider.script(MESSAGES, &[(202, json!({"message_uuid": "p"}))]);
    provider
}

/// Our ids of the messages that the provider was handed, in order.
pub fn handed_in(provider: &Endpoint) -> Vec<Uuid> {
    let bodies = provider.bodies_at(MESSAGES);
    bodies.iter().map(|body| body["client_ref"].as_str().unwrap().parse().unwrap()).collect()
}
