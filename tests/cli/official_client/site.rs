//! A deployment with real processes, its provider, and a customer with the original's own client.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_store::Store;

use crate::production::{MASTER_KEY, TestPostgres, postgres};
use crate::program::{Client, Ended, LIMIT, Running, TestDir, look_again, run, run_command};

/// Whoever is written to there gets no message: the provider refuses it.
const REFUSED: &str = "3000000000000003";

pub struct Site {
    pub dir: TestDir,
    cluster: TestPostgres,
    pub server: Running,
    worker: Running,
    pub provider: Provider,
    /// `http://127.0.0.1:` and a port.
    pub url: String,
    pub api_key: String,
    pub secret: String,
    /// Where the provider reports to, without the host.
    report_to: String,
    database: String,
}

impl Site {
    /// An account with key and secret, whose messages go to the provider; nobody is told of them.
    pub async fn start() -> Self {
        let dir = TestDir::new();
        let cluster = postgres(&dir).await;
        let database = cluster.url("postgres");
        let environment = [("DATABASE_URL", database.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
        let trunkline = |args: &[&str]| run(&dir, args, &environment).succeeded().stdout;
        trunkline(&["migrate"]);
        trunkline(&["account", "create", "acme"]);
        let credentials = trunkline(&["credentials", "create", "acme"]);
        let (api_key, secret) = credentials.trim().split_once(':').unwrap();
        let provider = Provider::start().await;
        std::fs::write(dir.path().join("provider.secret"), "hush").unwrap();
        let connector = ["connector", "set", "acme", "messages-api", "--api-key", "ours"];
        let there = ["--secret-file", "provider.secret", "--base-url", &provider.url];
        trunkline(&[&connector[..], &there].concat());

        let mut server = Running::start(&dir, &["serve", "--listen", "127.0.0.1:0"], &environment);
        server.says("listening on ").await;
        let url = server.after("listening on ");
        let worker = ["worker", "--name", "alone", "--allow-addresses", "127.0.0.0/8"];
        let mut worker = Running::start(&dir, &worker, &environment);
        worker.says("worker registered").await;
        let webhooks = trunkline(&["webhook", "show", "acme", "--url", &url]);
        let statuses = webhooks.lines().find_map(|line| line.strip_prefix("Message statuses")).unwrap();
        let report_to = statuses.trim().strip_prefix(&url).unwrap().to_owned();
        let (api_key, secret) = (api_key.to_owned(), secret.to_owned());
        Self { dir, cluster, server, worker, provider, url, api_key, secret, report_to, database }
    }

    fn trunkline(&self, args: &[&str]) -> Ended {
        let environment = [("DATABASE_URL", self.database.as_str()), ("TRUNKLINE_MASTER_KEY", MASTER_KEY)];
        run(&self.dir, args, &environment).succeeded()
    }

    /// The customer: an application of the account, and a receiver that both are told at, at different paths.
    pub async fn customer(&self) -> Customer {
        let signature = self.trunkline(&["credentials", "signature", "acme"]).stdout;
        let mut receiver = node("receive_webhooks.js");
        receiver.env("SIGNATURE_SECRET", signature.trim());
        let mut receiver = Running::start_command(&self.dir, receiver);
        receiver.says("listening on ").await;
        let receives_at = format!("http://127.0.0.1:{}", receiver.after("listening on "));
        self.trunkline(&[
            "credentials",
            "callbacks",
            "acme",
            "--status-url",
            &format!("{receives_at}/account"),
        ]);
        let create = ["application", "create", "acme", "--name", "Parcel alerts", "--status-url"];
        let made = self.trunkline(&[&create[..], &[&format!("{receives_at}/application")]].concat());
        let private_key = self.dir.path().join("app.key");
        std::fs::write(&private_key, &made.stdout).unwrap();
        let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
        let mut words = made.stderr.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let application = words.find(is_id).unwrap().to_owned();
        let (host, port) = self.url.strip_prefix("http://").unwrap().split_once(':').unwrap();
        let environment = [
            ("API_KEY", self.api_key.clone()),
            ("API_SECRET", self.secret.clone()),
            ("APPLICATION_ID", application.clone()),
            ("PRIVATE_KEY", private_key.to_str().unwrap().to_owned()),
            ("HOST", host.to_owned()),
            ("PORT", port.to_owned()),
        ];
        Customer { environment, application, receiver, receives_at }
    }

    /// The provider says this of a message that it was sent.
    pub async fn report(&self, sent: &Sent, status: &str, price: Option<&str>) {
        let mut body = json!({"message_uuid": sent.provider_id, "client_ref": sent.body["client_ref"],
            "to": sent.body["to"], "from": sent.body["from"], "status": status,
            "timestamp": clock::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)});
        if let Some(price) = price {
            body["usage"] = json!({"price": price, "currency": "EUR"});
        }
        let answer = Client::new(&self.url, None).call("POST", &self.report_to, Some(&body)).await;
        assert_eq!(answer.0, 200, "{answer:?}");
    }

    /// The workflow's time counts from here or a little later.
    pub async fn began_at(&self, dispatch: &str) -> DateTime<Utc> {
        let store = Store::open(&self.database, 1).unwrap();
        let query =
            sqlx::query_scalar("select created_at from dispatches where id::text = $1").bind(dispatch);
        let began_at = query.fetch_one(store.pool()).await.unwrap();
        store.close().await;
        began_at
    }

    pub async fn stop(self) {
        assert_eq!(self.worker.stop().await, Some(0));
        assert_eq!(self.server.stop().await, Some(0));
        self.cluster.stop().await;
    }
}

pub struct Customer {
    environment: [(&'static str, String); 6],
    pub application: String,
    pub receiver: Running,
    pub receives_at: String,
}

/// A webhook as the customer's receiver saw it.
#[derive(Debug)]
pub struct Told {
    pub path: String,
    pub body: Value,
    /// Of the signature.
    pub claims: Value,
}

impl Customer {
    /// Runs one of the customer's programs.
    pub fn runs(&self, program: &str) -> Ended {
        let mut command = node(program);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        run_command(command, "")
    }

    /// What was told so far. The receiver has verified the signature of each.
    pub fn told(&self) -> Vec<Told> {
        let said = self.receiver.stdout();
        let (lines, _half_written) = said.rsplit_once('\n').unwrap();
        let told = lines.lines().skip(1).map(|line| {
            let mut told: Value = serde_json::from_str(line).unwrap();
            assert_eq!(told["fault"], Value::Null, "{line}");
            let body = serde_json::from_str(told["body"].as_str().unwrap()).unwrap();
            Told { path: told["path"].as_str().unwrap().to_owned(), body, claims: told["claims"].take() }
        });
        told.collect()
    }

    /// What was told, once it is so much.
    pub async fn is_told(&self, what: &str, count: usize) -> Vec<Told> {
        until(what, || Some(self.told()).filter(|told| told.len() >= count)).await
    }

    /// The first webhook that is this one.
    pub async fn hears(&self, what: &str, is_it: impl Fn(&Told) -> bool) -> Told {
        until(what, || self.told().into_iter().find(&is_it)).await
    }
}

/// A message that the provider was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: DateTime<Utc>,
    pub body: Value,
    provider_id: String,
}

pub struct Provider {
    url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Provider {
    async fn start() -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let router = Router::new().route("/v0.1/messages", routing::post(take)).with_state(sent.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, sent }
    }

    /// What it was sent, once it is so much.
    pub async fn has(&self, what: &str, count: usize) -> Vec<Sent> {
        until(what, || Some(self.sent.lock().unwrap().clone()).filter(|sent| sent.len() >= count)).await
    }
}

async fn take(
    State(all): State<Arc<Mutex<Vec<Sent>>>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let at = clock::now();
    assert_eq!(headers["authorization"], "Basic b3VyczpodXNo");
    if body["to"]["id"] == REFUSED {
        let problem = json!({"type": "https://provider.example/Errors#InvalidParams", "title": "Refused"});
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response();
    }
    let mut all = all.lock().unwrap();
    let provider_id = format!("provider-{}", all.len());
    all.push(Sent { at, body, provider_id: provider_id.clone() });
    (StatusCode::ACCEPTED, Json(json!({"message_uuid": provider_id}))).into_response()
}

/// Looks until there is something.
async fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        look_again().await;
    }
}

/// A program of the customer's, with the clients that it asks for.
fn node(program: &str) -> Command {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/official-client");
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("official-client");
    let lock = |path: PathBuf| std::fs::read(path).ok();
    assert!(
        lock(installed.join("installed")) == lock(programs.join("package-lock.json")),
        "the official Node clients are not in `{}`, or not in the pinned versions: `make client` installs them",
        installed.display()
    );
    let mut command = Command::new("node");
    command.arg(programs.join(program)).env("NODE_PATH", installed.join("node_modules"));
    command
}
