//! A server with everything behind it: a worker in this process, the sandbox carrier as the provider, and
//! an endpoint that HTTP steps call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::oneshot;
use trunkline::api::ApiConfig;
use trunkline::sandbox::{self, Sandbox, SandboxConfig};
use trunkline_connectors::clock;
use trunkline_connectors::eight_by_eight::{EightByEight, VoiceApi};
use trunkline_connectors::messages_api::{Auth, MessagesApi, MessagesApiSettings, SmsRoute, Version};
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits};
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_workers::{ConnectorUse, Rules, Settings, Tools};

use super::app::{TestApp, WEBHOOK_SECRET, http_client};
use super::endpoint::Endpoint;
use super::extent::either;
use super::pooler::Pooler;

/// No story takes longer unless something is stuck. Behind a pooler ten thousand steps in a row do, and what takes hours
/// has many more.
fn limit() -> Duration {
    let minutes = if Pooler::is_wanted() { 3 } else { 1 };
    Duration::from_mins(either(minutes, 20))
}

pub struct Engine {
    pub app: TestApp,
    pub endpoint: Endpoint,
    sandbox_url: String,
    http: reqwest::Client,
    worker: Option<RunningWorker>,
}

struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), trunkline_workers::Broken>>,
}

impl Engine {
    pub async fn start() -> Self {
        Self::start_with(ApiConfig::default()).await
    }

    pub async fn start_with(config: ApiConfig) -> Self {
        let mut engine = Self::prepare(config).await;
        engine.start_worker(Settings::default());
        engine
    }

    /// With a worker that goes by these rules.
    pub async fn start_with_rules(rules: Rules) -> Self {
        let mut engine = Self::prepare(ApiConfig::default()).await;
        engine.start_worker_with_rules(rules);
        engine
    }

    /// A test that brings workers of its own.
    pub async fn start_without_worker() -> Self {
        Self::prepare(ApiConfig::default()).await
    }

    /// Everything but the worker.
    async fn prepare(config: ApiConfig) -> Self {
        let app = TestApp::start_with(config).await;
        let sandbox = Sandbox::new(SandboxConfig {
            webhook_url: app.webhook_url(),
            webhook_authorization: Some(WEBHOOK_SECRET.to_owned()),
            account: app.account().to_string(),
            sms_sub_account: "acme_sms".to_owned(),
            chat_sub_account: "acme_chat".to_owned(),
            callback_policy: AddressPolicy { allow_private: true, ..AddressPolicy::default() },
            clock: clock::now,
        });
        let sandbox_url = super::endpoint::serve(sandbox::router(sandbox)).await;
        Self { app, endpoint: Endpoint::start().await, sandbox_url, http: http_client(), worker: None }
    }

    /// A worker whose HTTP steps may call this machine.
    pub fn start_worker(&mut self, settings: Settings) {
        self.start_worker_with(settings, AddressPolicy { allow_private: true, ..AddressPolicy::default() });
    }

    pub fn start_worker_with(&mut self, settings: Settings, policy: AddressPolicy) {
        self.run_worker(settings, policy, Rules::default());
    }

    pub fn start_worker_with_rules(&mut self, rules: Rules) {
        let policy = AddressPolicy { allow_private: true, ..AddressPolicy::default() };
        self.run_worker(Settings::default(), policy, rules);
    }

    fn run_worker(&mut self, settings: Settings, policy: AddressPolicy, rules: Rules) {
        let providers =
            OutboundClient::new(AddressPolicy { allow_private: true, ..AddressPolicy::default() });
        let evaluator = EvaluatorCommand::new(env!("CARGO_BIN_EXE_trunkline"), ["evaluator"]);
        let tools = Tools {
            evaluator: Evaluator::new(evaluator, 1, Limits::default()),
            providers,
            outbound: OutboundClient::new(policy),
            fallback: Some(EightByEight {
                sms_url: format!("{}/sandbox/8x8/sms", self.sandbox_url),
                chat_apps_url: format!("{}/sandbox/8x8/chatapps", self.sandbox_url),
                voice_url: format!("{}/sandbox/8x8/voice", self.sandbox_url),
                voice_api: VoiceApi::default(),
                api_key: "sandbox".to_owned(),
            }),
            messages_fallback: Some(self.messages_of_sandbox()),
            connectors: ConnectorUse::default(),
            rules,
        };
        let (stop, stopped) = oneshot::channel();
        let running = trunkline_workers::run(self.app.store().clone(), tools, settings, async {
            let _ = stopped.await;
        });
        self.worker = Some(RunningWorker { stop, task: tokio::spawn(running) });
    }

    fn messages_of_sandbox(&self) -> MessagesApi {
        let settings = MessagesApiSettings {
            base_url: Some(format!("{}/sandbox/nexmo", self.sandbox_url)),
            version: Version::V0_1,
            auth: Auth::Basic { api_key: "sandbox".to_owned() },
            sms: SmsRoute::MessagesApi,
            sms_sub_account_id: None,
        };
        settings.resolve("sandbox").unwrap()
    }

    /// The account's provider is the endpoint from now on, in place of the sandbox.
    pub async fn connect_endpoint(&self, voice_api: VoiceApi) {
        let url = &self.endpoint.url;
        let settings = json!({"smsUrl": url, "chatAppsUrl": url, "voiceUrl": url, "voiceApi": voice_api});
        self.connect(ConnectorKind::EightByEight, &settings, "endpoint-key").await;
    }

    pub async fn connect(&self, kind: ConnectorKind, settings: &Value, secret: &str) {
        let connector = NewConnector {
            account: self.app.account(),
            kind,
            subaccount: None,
            settings,
            secret: Some(secret),
        };
        assert!(self.app.store().set_connector(connector, &By::trunkline()).await.unwrap());
    }

    /// Drains the worker and waits for its end.
    pub async fn stop_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            let _ = worker.stop.send(());
            worker.task.await.unwrap().unwrap();
        }
    }

    /// Until nothing can be done now: every open path is parked or held.
    pub async fn run_until_idle(&self) {
        let begun = Instant::now();
        loop {
            let busy: Vec<String> = sqlx::query_scalar(
                "select row_to_json(j)::text from jobs j where not held or worker is not null
                 union all
                 select row_to_json(w)::text from waits w where kind = 'retry' or due_at <= now()",
            )
            .fetch_all(self.app.store().pool())
            .await
            .unwrap();
            if busy.is_empty() {
                return;
            }
            if begun.elapsed() > limit() {
                let log: Vec<String> = sqlx::query_scalar("select row_to_json(s)::text from steps s")
                    .fetch_all(self.app.store().pool())
                    .await
                    .unwrap();
                panic!("still to be done: {busy:#?} after {log:#?}");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every wait is due this much earlier.
    pub async fn pass_time(&self, seconds: f64) {
        sqlx::query("update waits set due_at = due_at - $1 * interval '1 second' where due_at is not null")
            .bind(seconds)
            .execute(self.app.store().pool())
            .await
            .unwrap();
        self.run_until_idle().await;
    }

    /// Saves a definition of these steps, starts it with `data`, runs until idle; gives the instance.
    pub async fn run(&self, steps: Value, data: Value) -> Run<'_> {
        let definition = self.app.define(super::sample::definition(steps)).await;
        self.run_definition(&definition, data).await
    }

    pub async fn run_definition(&self, definition: &str, data: Value) -> Run<'_> {
        let path = self.app.start_instance(definition, data).await;
        self.run_until_idle().await;
        Run { engine: self, path }
    }

    /// A user writes in, through the carrier and the real webhook.
    pub async fn sms(&self, from: &str, text: &str) {
        self.user_writes("/sandbox/sms", json!({"from": from, "to": "+6580002222", "text": text})).await;
    }

    pub async fn chat(&self, message: Value) {
        self.user_writes("/sandbox/chat", message).await;
    }

    async fn user_writes(&self, path: &str, message: Value) {
        let answer =
            self.http.post(format!("{}{path}", self.sandbox_url)).json(&message).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["webhookStatus"], 200, "{body}");
        self.run_until_idle().await;
    }

    /// What was sent, the oldest first.
    pub async fn outbox(&self) -> Vec<Value> {
        let answer = self.http.get(format!("{}/sandbox/outbox", self.sandbox_url)).send().await.unwrap();
        let mut messages: Vec<Value> = answer.json().await.unwrap();
        messages.reverse();
        messages
    }

    /// An instance, by its path below the account.
    pub fn at(&self, path: String) -> Run<'_> {
        Run { engine: self, path }
    }

    /// The path below the account that a `Location` names.
    pub fn path_of(&self, location: &str) -> String {
        location.strip_prefix(&format!("/api/v1/accounts/{}", self.app.account())).unwrap().to_owned()
    }

    /// The newest instance of a definition.
    pub async fn newest(&self, definition: &str) -> Option<Run<'_>> {
        let newest = self.app.instances_of(definition).await.into_iter().next()?;
        let id = newest["workflowId"].as_str().unwrap();
        Some(Run { engine: self, path: format!("/definitions/{definition}/workflows/{id}") })
    }

    /// Ends the story: the worker stops and the database keeps every invariant.
    pub async fn finish(mut self) {
        self.stop_worker().await;
        let violations = self.app.store().verify().await.unwrap();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

/// An instance under observation.
pub struct Run<'a> {
    engine: &'a Engine,
    pub path: String,
}

impl Run<'_> {
    pub async fn show(&self) -> Value {
        self.engine.app.get(&format!("{}?includeLogs=true", self.path)).await.expect(200)
    }

    pub async fn data(&self) -> Value {
        self.show().await["data"].clone()
    }

    pub async fn status(&self) -> String {
        self.show().await["status"].as_str().unwrap().to_owned()
    }

    /// `name:status` of each log entry.
    pub async fn logs(&self) -> Vec<String> {
        let show = self.show().await;
        let entry = |log: &Value| {
            format!("{}:{}", log["stepName"].as_str().unwrap(), log["status"].as_str().unwrap())
        };
        show["logs"].as_array().unwrap().iter().map(entry).collect()
    }

    /// Names of the steps that were completed, in order.
    pub async fn steps(&self) -> Vec<String> {
        let logs = self.logs().await;
        logs.iter().filter_map(|log| log.strip_suffix(":Complete")).map(str::to_owned).collect()
    }

    pub async fn errors(&self) -> Vec<Value> {
        let errors = self.engine.app.get(&format!("{}/errors", self.path)).await.expect(200);
        errors.as_array().unwrap().clone()
    }

    /// The only error's message.
    pub async fn error(&self) -> String {
        let errors = self.errors().await;
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0]["message"].as_str().unwrap().to_owned()
    }

    pub async fn command(&self, command: &str) {
        let answer = self.engine.app.patch(&self.path, json!({"status": command})).await;
        answer.expect_empty(200);
        self.engine.run_until_idle().await;
    }
}

/// Waits for a condition, at most a minute; behind a pooler three, in a long form twenty.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < limit(), "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
