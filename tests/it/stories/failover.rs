//! Workflows of the Workflows API: one message after the other, until one reaches what it has to (Dispatch 8).

use std::collections::{HashMap, HashSet};

use futures::future::join;
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_connectors::correlation::receipt_key;
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::dispatches::{Change, NewDispatch, NewMessage, OverdueMark};
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_workers::{Rules, Settings};
use trunkline_workflow::dispatch::{self, Flavour, Link, Refusal, Status};
use trunkline_workflow::{InstanceId, JobId};
use uuid::Uuid;

use crate::support::{Engine, Pooler, until};

const MESSAGES: &str = "/v0.1/messages";
const DISPATCH: Uuid = Uuid::from_u128(0x6c1d_0a1e_2f5a_4b0e_8f0b_5d8f_6f2f_9b10);

pub(super) async fn engine() -> Engine {
    with_provider(Engine::start().await).await
}

async fn with_provider(engine: Engine) -> Engine {
    let settings = json!({"baseUrl": engine.endpoint.url, "auth": {"type": "basic", "apiKey": "key"}});
    engine.connect(ConnectorKind::MessagesApi, &settings, "secret").await;
    engine.endpoint.script(MESSAGES, &[(202, json!({"message_uuid": "provider-1"}))]);
    engine.endpoint.script("/st", &[(204, json!(null))]);
    let store = engine.app.store();
    store.ensure_nexmo_account(engine.app.account(), "abcd1234", &By::trunkline()).await.unwrap().unwrap();
    let urls = CallbackUrls { status: Some(format!("{}/st", engine.endpoint.url)), inbound: None };
    assert!(store.set_account_callbacks(engine.app.account(), &urls, &By::trunkline()).await.unwrap());
    engine
}

fn step(number: &str, failover: Option<Value>) -> Value {
    let mut step = json!({
        "from": {"type": "sms", "number": "447700900001"},
        "to": {"type": "sms", "number": number},
        "message": {"content": {"type": "text", "text": "Your {{parcel}} is here"}},
    });
    if let Some(failover) = failover {
        step["failover"] = failover;
    }
    step
}

/// The first waits for `condition`, the second is the last.
pub(super) fn two(condition: &str) -> Value {
    let failover = json!({"expiry_time": 600, "condition_status": condition});
    json!([step("447700900010", Some(failover)), step("447700900020", None)])
}

async fn start(engine: &Engine, workflow: Value) {
    let body = json!({"template": "failover", "workflow": workflow}).to_string();
    let new = NewDispatch {
        link: Link { id: DISPATCH, flavour: Flavour::Dispatch },
        account: engine.app.account().clone(),
        application: None,
        request: dispatch::parse(body.as_bytes()).unwrap(),
        parent: None,
        at: clock::now(),
    };
    engine.app.store().start_dispatch(new).await.unwrap();
    engine.run_until_idle().await;
}

/// Our ids of the messages that the provider was handed, in order.
pub(super) fn handed_in(engine: &Engine) -> Vec<Uuid> {
    let bodies = engine.endpoint.bodies_at(MESSAGES);
    bodies.iter().map(|body| body["client_ref"].as_str().unwrap().parse().unwrap()).collect()
}

/// As the provider says it, under our reference.
pub(super) async fn says(engine: &Engine, message: Uuid, status: Status, price: Option<&str>) {
    let mut body = json!({"message_uuid": "provider-1", "status": status, "timestamp": "2026-02-03T04:05:06.117Z",
        "to": {"type": "sms", "number": "447700900000"}, "from": {"type": "sms", "number": "447700900001"},
        "client_ref": message});
    if status.is_failure() {
        body["error"] = json!({"code": 1120, "reason": "Illegal sender"});
    }
    if let Some(price) = price {
        body["usage"] = json!({"price": price, "currency": "EUR"});
    }
    engine.app.webhook_to("message-status", body).await.expect_empty(200);
    engine.run_until_idle().await;
}

/// What was told so far, once it is so much: status and message of a message, status alone of the workflow.
async fn told(engine: &Engine, count: usize) -> Vec<(String, Option<Uuid>)> {
    until("all is told", || async { engine.endpoint.bodies_at("/st").len() >= count }).await;
    let bodies = engine.endpoint.bodies_at("/st");
    assert_eq!(bodies.len(), count, "{bodies:?}");
    let message = |body: &Value| body["message_uuid"].as_str().map(|id| id.parse().unwrap());
    bodies.iter().map(|body| (body["status"].as_str().unwrap().to_owned(), message(body))).collect()
}

async fn report(engine: &Engine) -> Value {
    until("the end is told", || async {
        engine.endpoint.bodies_at("/st").iter().any(|body| body.get("template").is_some())
    })
    .await;
    let bodies = engine.endpoint.bodies_at("/st");
    let [report] = &bodies.iter().filter(|body| body.get("template").is_some()).collect::<Vec<_>>()[..]
    else {
        panic!("{bodies:?}")
    };
    (*report).clone()
}

#[tokio::test]
async fn n_060_n_071_n_072_a_condition_that_is_met_ends_the_workflow() {
    let engine = engine().await;
    start(&engine, two("delivered")).await;
    let [first] = handed_in(&engine)[..] else { panic!("one message, not the second") };
    assert_eq!(
        engine.endpoint.bodies_at(MESSAGES)[0]["message"]["content"]["text"],
        "Your {{parcel}} is here"
    );
    assert_eq!(told(&engine, 1).await, [("submitted".to_owned(), Some(first))]);
    says(&engine, first, Status::Delivered, Some("0.0333")).await;
    let report = report(&engine).await;
    assert_eq!((&report["status"], &report["dispatch_uuid"]), (&json!("completed"), &json!(DISPATCH)));
    assert_eq!(report["usage"], json!({"price": "0.0333", "currency": "EUR"}));
    assert_eq!(
        report["_links"]["messages"],
        json!([{"message_uuid": first, "href": format!("v0.1/messages/{first}"), "channel": "sms",
            "usage": {"price": "0.0333", "currency": "EUR"}, "status": "delivered"}])
    );
    engine.pass_time(700.0).await;
    assert_eq!(handed_in(&engine).len(), 1);
    told(&engine, 3).await;
    engine.finish().await;
}

#[tokio::test]
async fn n_058_n_062_n_066_what_is_not_reached_in_time_fails_over_and_comes_too_late_after() {
    let engine = engine().await;
    start(&engine, two("read")).await;
    let first = handed_in(&engine)[0];
    says(&engine, first, Status::Delivered, None).await;
    assert_eq!(handed_in(&engine).len(), 1, "less than the condition changes nothing");
    engine.pass_time(595.0).await;
    assert_eq!(handed_in(&engine).len(), 1, "not before the deadline");
    engine.pass_time(6.0).await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message, after the deadline") };
    says(&engine, first, Status::Read, None).await;
    assert!(engine.endpoint.bodies_at("/st").iter().all(|body| body.get("template").is_none()));
    says(&engine, second, Status::Undeliverable, None).await;
    let report = report(&engine).await;
    assert_eq!(report["status"], "error");
    let messages = report["_links"]["messages"].as_array().unwrap();
    let states: Vec<_> = messages.iter().map(|message| message["status"].clone()).collect();
    assert_eq!(states, ["read", "undeliverable"]);
    told(&engine, 6).await;
    engine.finish().await;
}

#[tokio::test]
async fn n_055_a_message_that_is_refused_fails_over_at_once() {
    let engine = engine().await;
    engine.endpoint.script(
        MESSAGES,
        &[(422, json!({"type": "x#1120", "title": "Invalid sender"})), (202, json!({"message_uuid": "p"}))],
    );
    start(&engine, two("delivered")).await;
    let [first, second] = handed_in(&engine)[..] else { panic!("both messages") };
    let mut told = told(&engine, 2).await;
    told.sort();
    assert_eq!(told, [("rejected".to_owned(), Some(first)), ("submitted".to_owned(), Some(second))]);
    let bodies = engine.endpoint.bodies_at("/st");
    let rejected = bodies.iter().find(|body| body["status"] == "rejected").unwrap();
    assert!(rejected["error"]["code"].is_i64(), "{rejected}");
    says(&engine, second, Status::Delivered, None).await;
    assert_eq!(report(&engine).await["status"], "completed");
    engine.finish().await;
}

/// What a script reads it may alter; what is sent and told is not read by one, and may be larger than its results.
#[tokio::test]
async fn messages_reach_the_provider_as_they_came() {
    let engine = engine().await;
    let mut workflow = two("delivered");
    let padding = "x".repeat(300_000);
    let custom = format!(r#"{{"big":12345678901234567890,"f":1.0,"10":1,"9":2,"padding":"{padding}"}}"#);
    let custom: Value = serde_json::from_str(&custom).unwrap();
    workflow[0]["to"] =
        json!({"type": "whatsapp", "number": "447700900010", "x": 12_345_678_901_234_567_890_u64});
    workflow[0]["from"] = json!({"type": "whatsapp", "number": "447700900001"});
    workflow[0]["message"] = json!({"content": {"type": "custom", "custom": custom}});
    start(&engine, workflow.clone()).await;
    let sent = &engine.endpoint.bodies_at(MESSAGES)[0];
    assert_eq!(sent["message"].to_string(), workflow[0]["message"].to_string());
    told(&engine, 1).await;
    assert_eq!(engine.endpoint.bodies_at("/st")[0]["to"].to_string(), workflow[0]["to"].to_string());
    engine.finish().await;
}

#[tokio::test]
async fn without_a_provider_messages_are_rejected_and_the_workflow_ends() {
    let engine = engine().await;
    let store = engine.app.store();
    // What stands for it from now on can be read by nobody.
    sqlx::query("update connectors set settings = '{}'").execute(store.pool()).await.unwrap();
    start(&engine, two("delivered")).await;
    assert_eq!(handed_in(&engine).len(), 0);
    let report = report(&engine).await;
    assert_eq!(
        (&report["status"], report["_links"]["messages"].as_array().unwrap().len()),
        (&json!("error"), 2)
    );
    let bodies = engine.endpoint.bodies_at("/st");
    let rejected: Vec<_> = bodies.iter().filter(|body| body["status"] == "rejected").collect();
    assert_eq!(rejected.len(), 2);
    assert_eq!(rejected[0]["error"], json!({"code": 1140, "reason": "Facility not allowed"}));
    engine.finish().await;
}

#[tokio::test]
async fn n_056_n_059_n_065_n_067_odd_statuses_are_told_and_decide_once() {
    let engine = engine().await;
    start(&engine, two("delivered")).await;
    let first = handed_in(&engine)[0];
    says(&engine, first, Status::Undeliverable, None).await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message, at once") };
    // What was read was delivered, and nobody says so in between.
    for status in [Status::Read, Status::Read, Status::Delivered] {
        says(&engine, second, status, None).await;
    }
    assert_eq!(report(&engine).await["status"], "completed");
    let told = told(&engine, 6).await;
    let of_second: Vec<_> = told
        .iter()
        .filter(|(_, message)| *message == Some(second))
        .map(|(status, _)| status.as_str())
        .collect();
    assert_eq!(of_second, ["submitted", "read", "delivered"]);
    let stored = engine.app.store().message_state(engine.app.account(), &second.to_string()).await.unwrap();
    assert_eq!(stored.unwrap().state, "read");
    engine.finish().await;
}

#[tokio::test]
async fn n_081_a_throttled_message_is_sent_later_and_once() {
    let engine = engine().await;
    engine
        .endpoint
        .script(MESSAGES, &[(429, json!({"title": "Rate Limit Hit"})), (202, json!({"message_uuid": "p"}))]);
    start(&engine, two("delivered")).await;
    let [refused, taken] = handed_in(&engine)[..] else { panic!("two attempts") };
    assert_eq!(refused, taken, "under the same reference");
    assert_eq!(told(&engine, 1).await, [("submitted".to_owned(), Some(taken))]);
    engine.finish().await;
}

#[tokio::test]
async fn n_061_each_deadline_counts_from_its_own_message() {
    let engine = engine().await;
    let failover = |seconds: u32| Some(json!({"expiry_time": seconds, "condition_status": "delivered"}));
    let steps = json!([
        step("447700900010", failover(100)),
        step("447700900020", failover(50)),
        step("447700900030", None)
    ]);
    start(&engine, steps).await;
    for (seconds, messages) in [(99.0, 1), (2.0, 2), (48.0, 2), (3.0, 3)] {
        engine.pass_time(seconds).await;
        assert_eq!(handed_in(&engine).len(), messages, "{seconds}");
    }
    engine.finish().await;
}

#[tokio::test]
async fn n_079_a_status_is_matched_by_our_reference_or_by_the_providers_id() {
    let engine = engine().await;
    start(&engine, two("delivered")).await;
    let first = handed_in(&engine)[0];
    for (body, status) in [
        (json!({"message_uuid": "nobody", "status": "delivered"}), 200),
        (json!({"message_uuid": "nobody", "client_ref": Uuid::nil(), "status": "delivered"}), 200),
        (json!({"status": "delivered"}), 400),
        (json!([]), 400),
    ] {
        engine.app.webhook_to("message-status", body).await.expect_status(status);
    }
    assert_eq!(told(&engine, 1).await, [("submitted".to_owned(), Some(first))]);
    let body = json!({"message_uuid": "provider-1", "status": "delivered", "timestamp": "2026-02-03 04:05:06 +0000"});
    engine.app.webhook_to("message-status", body).await.expect_empty(200);
    engine.run_until_idle().await;
    assert_eq!(report(&engine).await["status"], "completed");
    engine.finish().await;
}

/// Nobody is there to act on the deadline when the status comes.
#[tokio::test]
async fn n_063_a_status_counts_until_its_deadline_is_acted_on() {
    let mut engine = engine().await;
    start(&engine, two("delivered")).await;
    let first = handed_in(&engine)[0];
    engine.stop_worker().await;
    sqlx::query("update waits set due_at = now() - interval '1 hour'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    let body = json!({"message_uuid": "provider-1", "status": "delivered", "client_ref": first,
        "timestamp": "2026-02-03T04:05:06.117Z"});
    engine.app.webhook_to("message-status", body).await.expect_empty(200);
    engine.start_worker(Settings::default());
    engine.run_until_idle().await;
    assert_eq!(report(&engine).await["status"], "completed");
    assert_eq!(handed_in(&engine).len(), 1);
    engine.finish().await;
}

/// Thousands of statuses meet their deadlines, a hundred at a time: of each workflow either the condition was met in
/// time, or the next message is sent. A tenth of them comes over HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn n_063_a_status_and_its_deadline_are_decided_once() {
    const AT_ONCE: usize = 100;
    // Behind a pooler each of them takes several times as long.
    let workflows = if Pooler::is_wanted() { 2_000 } else { 10_000 };
    let engine = engine().await;
    let store = engine.app.store();
    let nobody = CallbackUrls { status: None, inbound: None };
    assert!(store.set_account_callbacks(engine.app.account(), &nobody, &By::trunkline()).await.unwrap());
    start(&engine, two("read")).await;
    let mut waiting = multiply(&engine, workflows - 1).await;
    waiting.push(handed_in(&engine)[0]);
    let mut met = 0;
    for (turn, messages) in waiting.chunks(AT_ONCE).enumerate() {
        // All of them until the worker looks, which may be at any moment from now on.
        sqlx::query("update waits set due_at = now() where key = any($1)")
            .bind(messages.iter().map(|message| receipt_key(&message.to_string())).collect::<Vec<_>>())
            .execute(store.pool())
            .await
            .unwrap();
        let over_http = turn.is_multiple_of(10);
        let statuses = messages.iter().map(|message| read(&engine, *message, over_http));
        let resumed: Vec<usize> = stream::iter(statuses).buffer_unordered(16).collect().await;
        met += resumed.iter().sum::<usize>();
    }
    engine.run_until_idle().await;
    let decided: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select count(*), count(*) filter (where outcome = 'completed' and sent = 1),
             count(*) filter (where outcome is null and sent = 2)
         from dispatches d
         join (
             select instance_id, count(*) as sent
             from messages
             group by instance_id
         ) as m using (instance_id)",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let [(all, completed, failed_over)] = decided[..] else { panic!("{decided:?}") };
    assert_eq!(usize::try_from(all).unwrap(), workflows);
    assert_eq!(completed + failed_over, all, "{completed} and {failed_over}");
    assert!(usize::try_from(completed).unwrap() >= met, "who was answered that it was met has ended so");
    let least = all / 20;
    assert!(completed > least && failed_over > least, "{completed} and {failed_over}: no race");
    let handed_in = handed_in(&engine);
    assert_eq!(handed_in.len(), 1 + usize::try_from(failed_over).unwrap());
    let once: HashSet<_> = handed_in.iter().collect();
    assert_eq!(once.len(), handed_in.len(), "no message is sent twice");
    engine.finish().await;
}

/// The message is read. How many workflows go on because of that, as far as the answer says.
async fn read(engine: &Engine, message: Uuid, over_http: bool) -> usize {
    if over_http {
        let body = json!({"message_uuid": "p", "status": "read", "client_ref": message,
            "timestamp": "2026-02-03T04:05:06.117Z"});
        engine.app.webhook_to("message-status", body).await.expect_empty(200);
        return 0;
    }
    let change = Change::new(Status::Read, clock::now());
    let subject = (message, receipt_key(&message.to_string()));
    let received = engine.app.store().change_status(engine.app.account(), subject, &change).await.unwrap();
    received.expect("the message is known").resumed.len()
}

/// As many more workflows that are as far as the only one, which waits for its first message. Their messages.
async fn multiply(engine: &Engine, count: usize) -> Vec<Uuid> {
    let pool = engine.app.store().pool();
    let original: Vec<u8> = sqlx::query_scalar("select id from instances").fetch_one(pool).await.unwrap();
    let said: String = sqlx::query_scalar("select umid from messages").fetch_one(pool).await.unwrap();
    let ids: Vec<Vec<u8>> =
        (0..count).map(|_| [&original[..4], &rand::random::<[u8; 8]>()[..]].concat()).collect();
    let messages: Vec<Uuid> =
        ids.iter().map(|id| JobId::new(InstanceId::from_bytes(id).unwrap(), 1).as_uuid()).collect();
    let keys: Vec<String> = messages.iter().map(|message| receipt_key(&message.to_string())).collect();
    // A row like the original's, but for what belongs to this workflow.
    for (table, own) in [
        ("instances", "'id', own.id, 'data', replace(o.data, $1, own.message)"),
        ("steps", "'instance_id', own.id, 'result', replace(o.result, $1, own.message)"),
        ("messages", "'instance_id', own.id, 'umid', own.message"),
        ("waits", "'instance_id', own.id, 'key', own.key"),
        ("dispatches", "'instance_id', own.id, 'id', gen_random_uuid()"),
    ] {
        let statement = format!(
            "insert into {table}
             select copy.*
             from (select * from {table}) as o,
                 unnest($2::bytea[], $3::text[], $4::text[]) as own (id, message, key),
                 jsonb_populate_record(null::{table}, to_jsonb(o) || jsonb_build_object({own})) as copy
             where $1 <> ''"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(&said)
            .bind(&ids)
            .bind(messages.iter().map(Uuid::to_string).collect::<Vec<_>>())
            .bind(&keys)
            .execute(pool)
            .await
            .unwrap();
    }
    messages
}

/// Its time is over, and nobody has said anything.
async fn pass_silence(engine: &Engine, message: Uuid) {
    let overdue = sqlx::query(
        "update messages set give_up_at = give_up_at - interval '60 seconds'
         where account_id = $1 and umid = $2 and give_up_at > now() + interval '50 seconds'",
    )
    .bind(engine.app.account().as_str())
    .bind(message.to_string())
    .execute(engine.app.store().pool())
    .await
    .unwrap();
    assert_eq!(overdue.rows_affected(), 1, "a minute is waited for it");
}

#[tokio::test]
async fn a_last_message_that_nobody_speaks_of_is_rejected_and_the_workflow_ends_in_error() {
    let engine = engine().await;
    // An answer that says nothing: it may have been sent.
    engine.endpoint.script(MESSAGES, &[(200, json!({}))]);
    start(&engine, json!([step("447700900020", None)])).await;
    let message = handed_in(&engine)[0];
    assert!(engine.endpoint.bodies_at("/st").is_empty(), "nothing is known, so nothing is told");
    pass_silence(&engine, message).await;
    let report = report(&engine).await;
    assert_eq!(report["status"], "error");
    assert_eq!(report["_links"]["messages"][0]["status"], "rejected");
    let told = told(&engine, 2).await;
    assert!(told.contains(&("rejected".to_owned(), Some(message))), "{told:?}");
    let bodies = engine.endpoint.bodies_at("/st");
    let rejected = bodies.iter().find(|body| body["status"] == "rejected").unwrap();
    assert_eq!(rejected["error"], json!({"code": 1100, "reason": "Communication Failed"}));
    // Late, and told; the workflow has ended.
    says(&engine, message, Status::Delivered, None).await;
    assert_eq!(self::told(&engine, 3).await[2], ("delivered".to_owned(), Some(message)));
    assert_eq!(handed_in(&engine).len(), 1, "it is not sent again");
    engine.finish().await;
}

/// More than are looked at in one go, and in front of the one that is waited for.
#[tokio::test]
async fn messages_that_cannot_be_given_up_hold_up_no_other() {
    let engine = engine().await;
    engine.endpoint.script(MESSAGES, &[(200, json!({}))]);
    start(&engine, json!([step("447700900020", None)])).await;
    let message = handed_in(&engine)[0];
    let pool = engine.app.store().pool();
    for (echo, id) in [("'damaged'", "gen_random_uuid()::text"), ("echo", "'no id ' || number")] {
        let insert = format!(
            "insert into messages (account_id, umid, channel, state, rank, changed_at, echo, give_up_at)
             select account_id, {id}, channel, state, rank, changed_at, {echo}, now() - interval '1 hour'
             from messages
             cross join generate_series(1, 150) as number
             where umid = $1"
        );
        let inserted = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(message.to_string()).execute(pool).await;
        assert_eq!(inserted.unwrap().rows_affected(), 150);
    }
    pass_silence(&engine, message).await;
    assert_eq!(report(&engine).await["_links"]["messages"][0]["status"], "rejected");
    sqlx::query("delete from messages where give_up_at < now() - interval '30 minutes'")
        .execute(pool)
        .await
        .unwrap();
    engine.finish().await;
}

#[tokio::test]
async fn a_status_in_time_takes_the_last_message_out_of_doubt() {
    let engine = engine().await;
    engine.endpoint.script(MESSAGES, &[(200, json!({}))]);
    start(&engine, json!([step("447700900020", None)])).await;
    let message = handed_in(&engine)[0];
    says(&engine, message, Status::Submitted, None).await;
    // Nobody gives it up, however often somebody looks, and it is waited for like any other.
    sqlx::query("update messages set give_up_at = now()").execute(engine.app.store().pool()).await.unwrap();
    engine.pass_time(3_600.0).await;
    let overdue = engine.app.store().find_overdue_messages(&mut OverdueMark::default()).await.unwrap();
    assert_eq!(overdue, None);
    says(&engine, message, Status::Delivered, None).await;
    assert_eq!(report(&engine).await["status"], "completed");
    engine.finish().await;
}

/// A message that others follow is not given up: its deadline decides.
#[tokio::test]
async fn a_message_in_doubt_fails_over_at_its_deadline() {
    let engine = engine().await;
    engine.endpoint.script(MESSAGES, &[(200, json!({})), (202, json!({"message_uuid": "p"}))]);
    start(&engine, two("delivered")).await;
    let doubtful: i64 = sqlx::query_scalar("select count(*) from messages where give_up_at is not null")
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
    assert_eq!((handed_in(&engine).len(), doubtful), (1, 0));
    engine.pass_time(601.0).await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message") };
    assert_eq!(told(&engine, 1).await, [("submitted".to_owned(), Some(second))]);
    engine.finish().await;
}

/// What is said of a message meets the moment in which it is given up: whoever comes second finds the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_status_and_silence_are_decided_once() {
    const MESSAGES_IN_DOUBT: usize = 300;
    let mut engine = engine().await;
    engine.endpoint.script(MESSAGES, &[(200, json!({}))]);
    let store = engine.app.store().clone();
    let start = (0..MESSAGES_IN_DOUBT).map(|_| {
        let new = NewMessage {
            account: engine.app.account().clone(),
            application: None,
            message: dispatch::parse_message(step("447700900020", None).to_string().as_bytes()).unwrap(),
            at: clock::now(),
        };
        let store = &store;
        async move { store.start_message(new).await.unwrap() }
    });
    let messages: Vec<Uuid> = stream::iter(start).buffer_unordered(16).collect().await;
    engine.run_until_idle().await;
    // Nobody else gives them up, and no call is made.
    engine.stop_worker().await;
    let account = engine.app.account();
    let change = |status: Status| {
        let refusal =
            status.is_failure().then(|| Refusal { code: 1100, reason: "Communication Failed".to_owned() });
        Change { refusal, ..Change::new(status, clock::now()) }
    };
    let (submitted, rejected) = (change(Status::Submitted), change(Status::Rejected));
    let meet = messages.iter().enumerate().map(|(at, message)| {
        let subject = || (*message, receipt_key(&message.to_string()));
        let status = store.change_status(account, subject(), &submitted);
        let silence = store.give_up_message(account, subject(), &rejected);
        async move {
            // Now the one is sooner, now the other.
            let (status, given_up) = if at % 2 == 0 {
                join(status, silence).await
            } else {
                let (given_up, status) = join(silence, status).await;
                (status, given_up)
            };
            assert!(!status.unwrap().unwrap().duplicate, "what somebody says is told in any case");
            given_up.unwrap()
        }
    });
    let given_up: Vec<bool> = stream::iter(meet).buffered(8).collect().await;
    let told: Vec<(String, Vec<String>)> =
        sqlx::query_as("select subject, array_agg(event order by id) from callbacks group by subject")
            .fetch_all(store.pool())
            .await
            .unwrap();
    let told: HashMap<String, Vec<String>> = told.into_iter().collect();
    for (message, given_up) in messages.iter().zip(&given_up) {
        let expected = if *given_up { &["rejected", "submitted"][..] } else { &["submitted"] };
        assert_eq!(told[&message.to_string()], expected, "{message}");
        let state = store.message_state(account, &message.to_string()).await.unwrap().unwrap().state;
        assert_eq!(state, expected[0]);
    }
    let count = given_up.iter().filter(|given_up| **given_up).count();
    assert!((10..MESSAGES_IN_DOUBT - 10).contains(&count), "{count} were given up: no race");
    engine.finish().await;
}

#[tokio::test]
async fn n_073_the_price_of_a_report_is_that_of_its_messages_and_the_fee() {
    let workflow_fee = "0.002".parse().unwrap();
    let rules = Rules { workflow_fee, ..Rules::default() };
    let engine = with_provider(Engine::start_with_rules(rules).await).await;
    start(&engine, two("delivered")).await;
    let first = handed_in(&engine)[0];
    says(&engine, first, Status::Submitted, Some("0.9")).await;
    says(&engine, first, Status::Undeliverable, Some("0.1")).await;
    let [_, second] = handed_in(&engine)[..] else { panic!("the second message") };
    says(&engine, second, Status::Delivered, Some("0.0333")).await;
    let report = report(&engine).await;
    assert_eq!(report["usage"], json!({"price": "0.1353", "currency": "EUR"}));
    let prices: Vec<_> = report["_links"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["usage"]["price"].as_str().unwrap())
        .collect();
    assert_eq!(prices, ["0.1", "0.0333"]);
    engine.finish().await;
}
