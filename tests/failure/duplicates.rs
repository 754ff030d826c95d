//! Every message comes as often as the platform likes, many at once, at two servers; receipts come in every order,
//! some before the answer to the send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};

use crate::fleet::Fleet;
use crate::processes::WorkerProcess;
use crate::support::extent::either;
use crate::support::{
    TestApp, WEBHOOK_SECRET, definition, http_client, inbound_chat, inbound_sms, sample, serve_router, until,
};
use crate::verify::verify;

const SEED: u64 = 20_261_122;
const AT_ONCE: usize = 50;

async fn count(app: &TestApp, statement: &'static str) -> usize {
    let count: i64 = sqlx::query_scalar(statement).fetch_one(app.store().pool()).await.unwrap();
    usize::try_from(count).unwrap()
}

/// The `n`th message: every other one is an SMS.
fn inbound(n: usize) -> Value {
    let id = format!("m-{n}");
    if is_chat(n) {
        let mut message = inbound_chat(&id, "acme_chat");
        message["payload"]["user"]["msisdn"] = number(n).into();
        message["payload"]["content"]["text"] = n.to_string().into();
        return message;
    }
    let mut message = inbound_sms(&id, "acme_sms");
    message["payload"]["source"] = number(n).into();
    message["payload"]["body"] = n.to_string().into();
    message
}

fn is_chat(n: usize) -> bool {
    n % 2 == 1
}

fn number(n: usize) -> String {
    format!("+6580{n:06}")
}

/// Two of four are awaited by an instance.
fn is_awaited(n: usize) -> bool {
    n % 4 < 2
}

/// All start one.
#[tokio::test(flavor = "multi_thread")]
async fn each_message_starts_one_instance_or_answers_one() {
    let messages = either(300, 100_000);
    let fleet = Fleet::start(2, 1).await;
    let app = &fleet.app;
    let asks = async |channel: &str, text: &str| {
        let ask = json!([{"id": "ask", "stepType": "WaitForReply",
            "inputs": {"from": "{{data.from}}", "channel": channel, "timeout": "10:00:00"},
            "outputs": {"answer": format!("{{{{step.reply.payload.{text}}}}}")}}]);
        app.define(definition(ask)).await
    };
    let asks = [asks("sms", "body").await, asks("whatsapp", "content.text").await];
    let greets = async |trigger: &str| {
        let mut greets = definition(json!([{"id": "end", "stepType": "If"}]));
        greets["status"] = "enabled".into();
        greets["trigger"] = trigger.into();
        app.define(greets).await
    };
    let greets = [greets("inbound_sms").await, greets("inbound_chat_apps").await];
    let awaited = (0..messages).filter(|n| is_awaited(*n));
    let asking = awaited
        .map(|n| (&asks[usize::from(is_chat(n))], json!({"from": number(n)})))
        .map(|(asks, data)| app.start_instance(asks, data));
    futures::stream::iter(asking).buffer_unordered(AT_ONCE).for_each(|_| async {}).await;
    until("all of them wait", || async {
        count(app, "select count(*) from waits where kind = 'reply'").await == messages / 2
    })
    .await;

    let mut chance = StdRng::seed_from_u64(SEED);
    let mut calls: Vec<usize> =
        (0..messages).flat_map(|n| std::iter::repeat_n(n, chance.random_range(1..=5))).collect();
    calls.shuffle(&mut chance);
    let (http, addresses) = (http_client(), fleet.addresses());
    let calls = calls.into_iter().enumerate().map(|(at, n)| {
        let url =
            format!("{}/webhooks/v1/accounts/{}/messages", addresses[at % addresses.len()], app.account());
        let call = http.post(url).header("Authorization", WEBHOOK_SECRET).json(&inbound(n));
        async move { assert_eq!(call.send().await.unwrap().status(), 200) }
    });
    futures::stream::iter(calls).buffer_unordered(AT_ONCE).for_each(|()| async {}).await;

    until("all instances end", || async {
        count(app, "select count(*) from instances where completed_at is null").await == 0
    })
    .await;
    let of = async |definition: &str| {
        let of = "select count(*) from instances where definition_id = $1::uuid";
        let of = sqlx::query_scalar::<_, i64>(of).bind(definition).fetch_one(app.store().pool());
        usize::try_from(of.await.unwrap()).unwrap()
    };
    for (asks, greets) in asks.iter().zip(&greets) {
        // A message starts instances of other definitions, whoever waits for it.
        assert_eq!((of(asks).await, of(greets).await), (messages / 4, messages / 2));
    }
    assert_eq!(count(app, "select count(*) from event_uses where not started").await, messages / 2);
    assert_eq!(count(app, "select count(*) from event_uses where started").await, messages);
    assert_eq!(count(app, "select count(*) from events").await, messages);
    let most = count(
        app,
        "select max(c) from (select count(*) c from event_uses group by event_id, definition_id) as uses",
    )
    .await;
    assert_eq!(most, 1, "one instance of a definition per message");
    let wrong = count(
        app,
        "select count(*) from instances i join event_uses u on u.instance_id = i.id and not u.started
         join events e on e.id = u.event_id
         cross join lateral (select e.body::json -> 'payload' as sent) as message
         where i.data::json ->> 'answer' is distinct from coalesce(sent ->> 'body', sent -> 'content' ->> 'text')",
    )
    .await;
    assert_eq!(wrong, 0, "each got the answer of its own customer");
    verify(app.database_url()).await;
    fleet.end().await;
}

const STATES: [&str; 4] = ["sent", "delivered", "read", "failed"];

/// Every order of these.
fn orders() -> Vec<Vec<&'static str>> {
    let mut orders = vec![Vec::new()];
    for _ in STATES {
        let longer = |order: &Vec<&'static str>| {
            let left = STATES.into_iter().filter(|state| !order.contains(state));
            left.map(|state| [order.as_slice(), &[state]].concat()).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

/// Of the format's eighth version.
fn chat_receipt(umid: &str, state: &str) -> Value {
    json!({"namespace": "ChatApps", "eventType": "outbound_message_status_changed",
        "payload": {"umid": umid, "subAccountId": "acme_chat", "channel": "whatsapp",
            "user": {"msisdn": "+6590001111", "channelUserId": "6590001111"},
            "status": {"state": state, "timestamp": "2026-02-03T04:06:00Z", "errorCode": 0}}})
}

type Receipt = fn(&str, &str) -> Value;

struct Case {
    umid: String,
    receipt: Receipt,
    order: Vec<&'static str>,
    /// As many of them come before the answer to the send.
    early: usize,
}

/// In each order, and in each with none to all of them before the answer to the send.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_in_any_order_come_to_the_same_end() {
    let app = TestApp::start().await;
    let provider = Provider::start().await;
    let settings =
        json!({"smsUrl": provider.url, "chatAppsUrl": provider.url, "voiceApi": VoiceApi::Callflows});
    let connector = NewConnector {
        account: app.account(),
        kind: ConnectorKind::EightByEight,
        subaccount: None,
        settings: &settings,
        secret: Some("key"),
    };
    assert!(app.store().set_connector(connector, &By::trunkline()).await.unwrap());
    let worker = WorkerProcess::start(app.direct_url());
    let sms = json!([{"id": "send", "stepType": "SMS",
        "inputs": {"subAccountId": "acme_sms", "destination": "+6590001111", "text": "{{data.umid}}"}}]);
    let chat = json!([{"id": "send", "stepType": "ChatAppsMessage",
        "inputs": {"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
            "content": {"text": "{{data.umid}}"}}}]);
    let mut cases = Vec::new();
    for (send, receipt) in [(sms, sample::receipt as Receipt), (chat, chat_receipt)] {
        let id = app.define(definition(send)).await;
        for order in orders() {
            for early in 0..=STATES.len() {
                let umid = uuid::Uuid::new_v4().to_string();
                app.start_instance(&id, json!({"umid": umid})).await;
                cases.push(Case { umid, receipt, order: order.clone(), early });
            }
        }
    }
    assert_eq!(cases.len(), 2 * 24 * 5);
    until("all are handed in", || async { provider.handed_in() == cases.len() }).await;
    let tell = async |case: &Case, states: &[&str]| {
        for (at, state) in states.iter().enumerate() {
            let mut receipt = (case.receipt)(&case.umid, state);
            // Each happened when it did, whenever it is heard of.
            let second = STATES.iter().position(|known| known == state).unwrap();
            receipt["payload"]["status"]["timestamp"] = format!("2026-02-03T04:06:0{second}Z").into();
            app.webhook(receipt.clone()).await.expect_status(200);
            if at % 2 == 0 {
                app.webhook(receipt).await.expect_status(200);
            }
        }
    };
    for case in &cases {
        tell(case, &case.order[..case.early]).await;
    }
    provider.answer();
    let open = "select count(*) from instances where completed_at is null";
    until("all sends end", || async { count(&app, open).await == 0 }).await;
    for case in &cases {
        tell(case, &case.order[case.early..]).await;
    }
    let ends: Vec<(String, i32, String)> =
        sqlx::query_as("select state, rank, string_agg(umid, ' ') from messages group by state, rank")
            .fetch_all(app.store().pool())
            .await
            .unwrap();
    assert_eq!(ends.len(), 1, "{ends:?} {}", worker.log());
    assert_eq!(ends[0].0, "read");
    assert_eq!(count(&app, "select count(*) from messages where instance_id is not null").await, cases.len());
    verify(app.direct_url()).await;
}

/// Takes messages, and answers with the id that their text asks for, when it may.
struct Provider {
    url: String,
    handed_in: Arc<AtomicUsize>,
    answering: tokio::sync::watch::Sender<bool>,
}

impl Provider {
    async fn start() -> Self {
        let handed_in = Arc::<AtomicUsize>::default();
        let answering = tokio::sync::watch::Sender::new(false);
        let (counted, wait) = (handed_in.clone(), answering.clone());
        let take = move |axum::Json(body): axum::Json<Value>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut answering = wait.subscribe();
            async move {
                answering.wait_for(|answering| *answering).await.unwrap();
                let sms = body["text"].as_str();
                let umid = sms.or_else(|| body["content"]["text"].as_str()).unwrap();
                axum::Json(json!({"umid": umid, "status": {"code": "QUEUED"}}))
            }
        };
        let router = axum::Router::new().fallback(axum::routing::any(take));
        Self { url: serve_router(router).await, handed_in, answering }
    }

    fn handed_in(&self) -> usize {
        self.handed_in.load(Ordering::Relaxed)
    }

    fn answer(&self) {
        self.answering.send_replace(true);
    }
}
