//! Machines whose clocks are an hour wrong, in both directions: nothing that a worker or a server does goes by its own.
//!
//! libfaketime gives single processes another time of day, and leaves them the clock that only measures.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_connectors::messages_api::{sign_webhook, verify_webhook_token};
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector, NewSignature};
use trunkline_store::dispatches::NewDispatch;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_workflow::dispatch::{self, Flavour, Link};
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::processes::WorkerProcess;
use crate::support::extent::{either, pass, promised, skipped};
use crate::support::{
    Endpoint, TestApp, WEBHOOK_SECRET, definition, enabled, http_client, inbound_sms, until,
};
use crate::verify::verify;

const AHEAD: i64 = 3600;
const BEHIND: i64 = -3600;
/// Seconds that timers may be late: a look at what is due, a claim, on a machine that does other things besides.
const LATE: u64 = 5;

/// For processes whose clock is wrong. What libfaketime leaves behind of them goes with this value.
struct Libfaketime(PathBuf);

impl Libfaketime {
    fn find() -> Option<Self> {
        let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from);
        let below = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
        let mut places = roots.into_iter().chain(below).map(|root| root.join("faketime/libfaketimeMT.so.1"));
        let found = places.find(|place| place.is_file()).map(Self);
        if found.is_none() {
            skipped(
                "libfaketime is missing here, and nobody's clock can be made wrong: `sh scripts/install-failure-tools`",
            );
        }
        found
    }

    /// The environment of a process whose clock is so many seconds ahead.
    fn environment(&self, seconds: i64) -> [(String, String); 5] {
        let monotonic = ["DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC"];
        let [one, other] = monotonic.map(|name| (name.to_owned(), "1".to_owned()));
        let preload = ("LD_PRELOAD".to_owned(), self.0.to_str().unwrap().to_owned());
        let files = ("NO_FAKE_STAT".to_owned(), "1".to_owned());
        [preload, ("FAKETIME".to_owned(), format!("{seconds:+}")), files, one, other]
    }

    async fn worker(&self, url: &str, seconds: i64) -> WorkerProcess {
        let environment = self.environment(seconds);
        let process = WorkerProcess::start_with(url, &environment.each_ref().map(borrowed));
        until("it works", || async { process.log().contains("worker registered") }).await;
        assert_wrong(&process, seconds);
        process
    }

    /// And its root.
    async fn server(&self, url: &str, seconds: i64) -> (WorkerProcess, String) {
        let mut environment = self.environment(seconds).to_vec();
        environment.push(("TRUNKLINE_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
        let environment: Vec<_> = environment.iter().map(borrowed).collect();
        let process = WorkerProcess::start_server(url, &environment);
        let root = process.url_after("listening on ").await;
        assert_wrong(&process, seconds);
        (process, root)
    }
}

impl Drop for Libfaketime {
    fn drop(&mut self) {
        let left = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        for file in left {
            let name = file.file_name().into_string().unwrap_or_default();
            let of = name.strip_prefix("faketime_shm_").or_else(|| name.strip_prefix("sem.faketime_sem_"));
            // Of whoever is gone; processes of other tests may have theirs.
            if of.is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()) {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

fn borrowed((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
}

/// It cannot be told from outside whether the library took effect; what the process writes down tells.
fn assert_wrong(process: &WorkerProcess, seconds: i64) {
    let log = process.log();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let said: DateTime<Utc> = first["timestamp"].as_str().unwrap().parse().unwrap();
    let off = (said - clock::now()).num_seconds() - seconds;
    assert!(off.abs() < 120, "its clock is {off} s from what it should be: {log}");
}

/// What is only one process's to do is done by whoever's clock is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_alone_with_a_wrong_clock_is_neither_early_nor_late() {
    let Some(library) = Libfaketime::find() else { return };
    for _ in 0..either(1, 20) {
        tokio::join!(alone(&library, AHEAD), alone(&library, BEHIND));
    }
}

async fn alone(library: &Libfaketime, seconds: i64) {
    let house = House::start(library, seconds).await;
    tokio::join!(
        house.timers_and_deadlines(),
        house.replies(),
        house.retries_at_a_date(),
        house.schedules(),
        house.messages_that_have_a_deadline(),
        house.a_provider_that_does_not_work(),
    );
    house.finish().await;
}

struct House {
    app: TestApp,
    endpoint: Endpoint,
    worker: WorkerProcess,
    server: WorkerProcess,
    /// Of the server whose clock is wrong in the other direction.
    url: String,
    http: reqwest::Client,
}

const MESSAGES: &str = "/v0.1/messages";
const SIGNATURE: &str = "the provider's own";

impl House {
    async fn start(library: &Libfaketime, seconds: i64) -> Self {
        let (app, endpoint) = (TestApp::start().await, Endpoint::start().await);
        let worker = library.worker(app.direct_url(), seconds).await;
        let (server, url) = library.server(app.direct_url(), -seconds).await;
        Self { app, endpoint, worker, server, url, http: http_client() }
    }

    /// Starts an instance at the server; gives its id.
    async fn start_instance(&self, definition: &str, body: Value) -> InstanceId {
        let path = format!("/api/v1/accounts/{}/definitions/{definition}/workflows", self.app.account());
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(self.app.key()).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let location = answer.headers()["location"].to_str().unwrap();
        location.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// From the beginning of a step to its end, once it has ended.
    async fn took(&self, instance: InstanceId, step: &str) -> Duration {
        let took = || async {
            let took = "select extract(epoch from completed_at - started_at)::float8
                 from steps where instance_id = $1 and name = $2";
            sqlx::query_scalar::<_, f64>(took)
                .bind(&instance.as_bytes()[..])
                .bind(step)
                .fetch_optional(self.app.store().pool())
                .await
                .unwrap()
        };
        until(step, || async { took().await.is_some() }).await;
        Duration::from_secs_f64(took().await.unwrap())
    }

    async fn assert_took(&self, instance: InstanceId, step: &str, seconds: u64) {
        let took = self.took(instance, step).await;
        let most = Duration::from_secs(seconds) + promised(LATE);
        assert!((Duration::from_secs(seconds)..most).contains(&took), "{step}: {took:?}");
    }

    async fn data(&self, instance: InstanceId) -> Value {
        let data = "select data from instances where id = $1 and status = 'Complete'";
        let data = || async {
            sqlx::query_scalar::<_, String>(data)
                .bind(&instance.as_bytes()[..])
                .fetch_optional(self.app.store().pool())
                .await
                .unwrap()
        };
        until("the instance ends well", || async { data().await.is_some() }).await;
        serde_json::from_str(&data().await.unwrap()).unwrap()
    }

    async fn waits(&self, instance: InstanceId, kind: &str) {
        until(kind, || async {
            sqlx::query_scalar("select exists (select from waits where instance_id = $1 and kind = $2)")
                .bind(&instance.as_bytes()[..])
                .bind(kind)
                .fetch_one(self.app.store().pool())
                .await
                .unwrap()
        })
        .await;
    }

    async fn timers_and_deadlines(&self) {
        let steps = json!([
            {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:02"}, "nextStepId": "ask"},
            {"id": "ask", "stepType": "WaitForReply",
                "inputs": {"from": "+6581000000", "channel": "sms", "timeout": "00:00:03"}},
        ]);
        let instance = self.start_instance(&self.app.define(definition(steps)).await, json!({})).await;
        self.assert_took(instance, "pause", 2).await;
        self.assert_took(instance, "ask", 3).await;
    }

    async fn answer(&self, number: &str, id: &str) {
        let url = format!("{}/webhooks/v1/accounts/{}/messages", self.url, self.app.account());
        let mut message = inbound_sms(id, "acme_sms");
        message["payload"]["source"] = number.into();
        let call = self.http.post(url).header("Authorization", WEBHOOK_SECRET).json(&message);
        assert_eq!(call.send().await.unwrap().status(), 200);
    }

    /// One to whoever waits for it, one before anybody does.
    async fn replies(&self) {
        let asks = |id: &str, number: &str| {
            json!({"id": id, "stepType": "WaitForReply",
                "inputs": {"from": number, "channel": "sms", "timeout": "10:00:00"},
                "outputs": {id: "{{step.reply.payload.umid}}"}})
        };
        let mut first = asks("first", "+6581000001");
        first["nextStepId"] = "pause".into();
        let steps = json!([
            first,
            {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:02"}, "nextStepId": "second"},
            asks("second", "+6581000002"),
        ]);
        let instance = self.start_instance(&self.app.define(definition(steps)).await, json!({})).await;
        self.waits(instance, "reply").await;
        self.answer("+6581000001", "m-1").await;
        self.waits(instance, "timer").await;
        self.answer("+6581000002", "m-2").await;
        let data = self.data(instance).await;
        assert_eq!((&data["first"], &data["second"]), (&json!("m-1"), &json!("m-2")));
    }

    /// Four seconds after it said so, by the clock of the endpoint.
    async fn retries_at_a_date(&self) {
        let steps = json!([{"id": "call", "stepType": "HttpRequest",
            "inputs": {"url": format!("{}/at-a-date", self.endpoint.url), "method": "POST"},
            "retry": {"maxAttempts": 2, "initialInterval": "00:00:00.1"}}]);
        let instance = self.start_instance(&self.app.define(definition(steps)).await, json!({})).await;
        self.data(instance).await;
        let calls = self.endpoint.received();
        let calls: Vec<_> = calls.iter().filter(|call| call.target == "/at-a-date").collect();
        assert_eq!(calls.len(), 2);
        let after = calls[1].at - calls[0].at;
        let least = Duration::from_secs(4);
        assert!((least..least + promised(LATE)).contains(&after), "{after:?}");
    }

    async fn schedules(&self) {
        let mut hourly = enabled("schedule", None);
        hourly["schedule"] = json!({"cron": "0 * * * *", "timeZone": "UTC"});
        let definition: Uuid = self.app.define(hourly).await.parse().unwrap();
        let pool = self.app.store().pool();
        let due: DateTime<Utc> = sqlx::query_scalar(
            "update schedules set next_at = now() + interval '3 seconds' where definition_id = $1 returning next_at",
        )
        .bind(definition)
        .fetch_one(pool)
        .await
        .unwrap();
        let started = || async {
            sqlx::query_scalar::<_, DateTime<Utc>>(
                "select started_at from instances where definition_id = $1",
            )
            .bind(definition)
            .fetch_optional(pool)
            .await
            .unwrap()
        };
        until("it is started", || async { started().await.is_some() }).await;
        let late = (started().await.unwrap() - due).to_std().expect("it is not early");
        assert!(late < promised(LATE), "{late:?}");
        let next: DateTime<Utc> =
            sqlx::query_scalar("select next_at from schedules where definition_id = $1")
                .bind(definition)
                .fetch_one(pool)
                .await
                .unwrap();
        let ahead = next - due;
        assert!(ahead > TimeDelta::zero() && ahead <= TimeDelta::hours(1), "{ahead}");
    }

    /// A workflow of the Workflows API, for an account whose provider is there.
    async fn begin(&self, account: &AccountId, provider: &str) -> Uuid {
        let settings = json!({"baseUrl": provider, "auth": {"type": "basic", "apiKey": "key"}});
        let kind = ConnectorKind::MessagesApi;
        let connector =
            NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("secret") };
        let store = self.app.store();
        let signed = NewSignature::Secret(SIGNATURE);
        assert!(store.set_signing_connector(connector, signed, &By::trunkline()).await.unwrap());
        let message = json!({"from": {"type": "sms", "number": "447700900001"},
            "to": {"type": "sms", "number": "447700900010"},
            "message": {"content": {"type": "text", "text": "Your parcel is here"}}});
        let mut first = message.clone();
        first["failover"] = json!({"expiry_time": 600, "condition_status": "delivered"});
        let body = json!({"template": "failover", "workflow": [first, message]}).to_string();
        let id = Uuid::new_v4();
        let new = NewDispatch {
            link: Link { id, flavour: Flavour::Dispatch },
            account: account.clone(),
            application: None,
            request: dispatch::parse(body.as_bytes()).unwrap(),
            parent: None,
            at: clock::now(),
        };
        store.start_dispatch(new).await.unwrap();
        id
    }

    /// Sent at the second try, waited for as long as it has; what is told of it is signed by a clock that is right.
    async fn messages_that_have_a_deadline(&self) {
        let (account, store) = (self.app.account(), self.app.store());
        store.ensure_nexmo_account(account, "api-key", &By::trunkline()).await.unwrap().unwrap();
        assert!(store.set_signature_secret(account, "hush", &By::trunkline()).await.unwrap());
        let urls = CallbackUrls { status: Some(format!("{}/st", self.endpoint.url)), inbound: None };
        assert!(store.set_account_callbacks(account, &urls, &By::trunkline()).await.unwrap());
        let answers = [(503, json!({})), (202, json!({"message_uuid": "p"}))];
        self.endpoint.script(MESSAGES, &answers);
        let dispatch = self.begin(account, &self.endpoint.url).await;
        let left = || async {
            let left = "select extract(epoch from w.due_at - w.started_at)::float8
                 from waits w
                 join dispatches d using (instance_id)
                 where d.id = $1 and w.kind = 'receipt'";
            let left = sqlx::query_scalar::<_, f64>(left).bind(dispatch);
            left.fetch_optional(store.pool()).await.unwrap()
        };
        until("a status is waited for", || async { left().await.is_some() }).await;
        let (left, tries) = (left().await.unwrap(), self.endpoint.bodies_at(MESSAGES));
        assert!((500.0..=600.0).contains(&left), "{left} s");
        assert_eq!(tries.len(), 2, "{tries:?}");

        let body = json!({"message_uuid": "p", "status": "delivered", "client_ref": tries[1]["client_ref"],
            "timestamp": "2026-02-03T04:05:06.117Z"})
        .to_string();
        let token = sign_webhook(SIGNATURE, "key", None, body.as_bytes(), clock::now(), Uuid::new_v4());
        let url = format!("{}/webhooks/v1/accounts/{account}/message-status", self.url);
        let call = self.http.post(url).header("Authorization", format!("Bearer {token}"));
        let answer = call.header("Content-Type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "the server takes a token of this minute");

        let told = || async {
            let received = self.endpoint.received();
            received.into_iter().filter(|call| call.target == "/st").collect::<Vec<_>>()
        };
        until("submitted, delivered, and the report are told", || async { told().await.len() >= 3 }).await;
        // A token is good for a day, and not before its time.
        let (now, tomorrow) = (clock::now(), clock::now() + TimeDelta::minutes(24 * 60 - 5));
        for call in told().await {
            let token = call.header("authorization").unwrap();
            for at in [now, tomorrow] {
                assert!(verify_webhook_token("hush", token, at).is_ok(), "{token} at {at}");
            }
        }
    }

    /// It is tried for ten seconds.
    async fn a_provider_that_does_not_work(&self) {
        let (account, _) = self.app.other_account("globex").await;
        let provider = Endpoint::start().await;
        provider.script(MESSAGES, &[(503, json!({}))]);
        let dispatch = self.begin(&account, &provider.url).await;
        let took = || async {
            let took = "select extract(epoch from s.completed_at - s.started_at)::float8
                 from steps s
                 join dispatches d using (instance_id)
                 where d.id = $1 and s.result::json ->> 'status' = 'rejected'";
            let took = sqlx::query_scalar::<_, f64>(took).bind(dispatch);
            took.fetch_optional(self.app.store().pool()).await.unwrap()
        };
        until("it is given up", || async { took().await.is_some() }).await;
        let (took, tries) = (Duration::from_secs_f64(took().await.unwrap()), provider.received().len());
        let least = Duration::from_secs(8);
        assert!((least..least + promised(LATE)).contains(&took), "{took:?}, {tries} times");
    }

    async fn finish(self) {
        let Self { app, worker, server, .. } = self;
        let log = worker.log();
        assert_eq!(log.matches("worker registered").count(), 1, "it is never taken for dead: {log}");
        assert_right(&app).await;
        verify(app.direct_url()).await;
        drop((worker, server));
    }
}

/// Nobody was declared lost, and ids say when what they name began.
async fn assert_right(app: &TestApp) {
    let pool = app.store().pool();
    let lost: i64 = sqlx::query_scalar("select count(*) from workers where lost_at is not null")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(lost, 0, "nobody who lives loses a lease");
    let started: Vec<(Vec<u8>, DateTime<Utc>)> =
        sqlx::query_as("select id, started_at from instances").fetch_all(pool).await.unwrap();
    assert!(!started.is_empty());
    for (id, at) in started {
        let second = u32::from_be_bytes(id[..4].try_into().unwrap());
        assert!((at.timestamp() - i64::from(second)).abs() < 60, "{second} began at {at}");
    }
}

/// One of each, under load.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_beside_others_with_a_wrong_clock_is_as_good_as_they_are() {
    let Some(library) = Libfaketime::find() else { return };
    let mut fleet = Fleet::start(1, 1).await;
    let url = fleet.app.database_url().to_owned();
    for seconds in [AHEAD, BEHIND] {
        fleet.workers.push(library.worker(&url, seconds).await);
        let (server, root) = library.server(&url, seconds).await;
        fleet.add_server(server, root);
    }
    let load = fleet.begin_load(either(3, 10), Duration::from_millis(either(50, 190))).await;
    fleet.until_more_ended(either(60, 5_000)).await;
    pass(Duration::from_secs(either(1, 600))).await;
    for worker in &fleet.workers {
        let takes_part = || async {
            sqlx::query_scalar("select exists (select from attempts where worker = $1)")
                .bind(&worker.name)
                .fetch_one(fleet.app.store().pool())
                .await
                .unwrap()
        };
        until("each takes part", takes_part).await;
    }
    assert_right(&fleet.app).await;
    fleet.finish(load).await;
}
