//! Calls to addresses of customers: made in order, repeated, given up, and nobody's business but the receiver's.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use trunkline_store::Store;
use trunkline_store::callbacks::{AT_ONCE, Callback, Delivery, NewCallback};
use trunkline_workflow::AccountId;

use crate::support::{Engine, TestApp, open_store, until};

fn callback(engine: &Engine, subject: &str, event: &str, url: Option<String>) -> NewCallback {
    NewCallback {
        account: engine.app.account().clone(),
        subject: subject.to_owned(),
        event: event.to_owned(),
        signer: None,
        url,
        body: format!(r#"{{"subject": "{subject}",  "status": "{event}", "text": "é"}}"#),
    }
}

async fn enqueue(engine: &Engine, subject: &str, event: &str, path: &str) -> bool {
    let url = Some(format!("{}{path}", engine.endpoint.url));
    engine.app.store().enqueue_callback(&callback(engine, subject, event, url)).await.unwrap()
}

/// State, attempts and last answer of each call, in order.
async fn calls(engine: &Engine) -> Vec<(String, i32, Option<String>)> {
    sqlx::query_as("select state, attempts, answer from callbacks order by id")
        .fetch_all(engine.app.store().pool())
        .await
        .unwrap()
}

async fn states(engine: &Engine) -> Vec<String> {
    calls(engine).await.into_iter().map(|(state, ..)| state).collect()
}

async fn until_states(engine: &Engine, expected: &[&str]) {
    until("the calls are as expected", || async { states(engine).await == expected }).await;
}

#[tokio::test]
async fn n_075_a_call_that_fails_is_repeated_with_the_same_bytes_until_it_is_taken() {
    let engine = Engine::start().await;
    engine.endpoint.script("/st", &[(500, json!(null)), (302, json!(null)), (200, json!(null))]);
    assert!(enqueue(&engine, "m", "submitted", "/st").await);
    for (attempt, pause) in [(1, 5.0), (2, 10.0)] {
        until("the attempt failed", || async {
            calls(&engine).await.iter().any(|(_, attempts, answer)| *attempts == attempt && answer.is_some())
        })
        .await;
        let in_seconds: f64 = sqlx::query_scalar(
            "update callbacks set due_at = now(), answer = null
             returning (select extract(epoch from c.due_at - now())::float8 from callbacks c)",
        )
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
        engine.app.store().callback_wake().hint();
        assert!((pause - 2.0..=pause).contains(&in_seconds), "{attempt}: {in_seconds}");
    }
    until_states(&engine, &["delivered"]).await;
    let received = engine.endpoint.received();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|request| request.body == received[0].body && request.method == "POST"));
    assert_eq!(received[0].header("content-type"), Some("application/json"));
    assert_eq!(received[0].body, callback(&engine, "m", "submitted", None).body);
    engine.finish().await;
}

#[tokio::test]
async fn n_076_any_success_is_success() {
    let engine = Engine::start().await;
    engine.endpoint.script("/st", &[(204, json!(null))]);
    enqueue(&engine, "m", "submitted", "/st").await;
    until_states(&engine, &["delivered"]).await;
    assert_eq!(calls(&engine).await[0].1, 1);
    engine.finish().await;
}

#[tokio::test]
async fn calls_about_one_subject_wait_for_each_other_and_for_nobody_else() {
    let engine = Engine::start().await;
    engine.endpoint.script("/down", &[(500, json!(null)), (200, json!(null))]);
    for event in ["submitted", "delivered", "read"] {
        assert!(enqueue(&engine, "m-1", event, "/down").await);
    }
    assert!(!enqueue(&engine, "m-1", "delivered", "/down").await, "each thing is told once");
    enqueue(&engine, "m-2", "submitted", "/up").await;
    until_states(&engine, &["pending", "queued", "queued", "delivered"]).await;
    until("the first attempt failed", || async { calls(&engine).await[0].2.is_some() }).await;
    assert_eq!(engine.endpoint.bodies_at("/down").len(), 1);
    sqlx::query("update callbacks set due_at = now() where state = 'pending'")
        .execute(engine.app.store().pool())
        .await
        .unwrap();
    engine.app.store().callback_wake().hint();
    until_states(&engine, &["delivered"; 4]).await;
    let told: Vec<_> = engine.endpoint.bodies_at("/down").iter().map(|body| body["status"].clone()).collect();
    assert_eq!(told, ["submitted", "submitted", "delivered", "read"]);
    engine.finish().await;
}

#[tokio::test]
async fn after_a_day_a_call_is_given_up_and_the_next_one_is_made() {
    let engine = Engine::start().await;
    engine.endpoint.script("/st", &[(503, json!(null)), (503, json!(null)), (200, json!(null))]);
    enqueue(&engine, "m", "submitted", "/st").await;
    enqueue(&engine, "m", "delivered", "/st").await;
    until("the first attempt failed", || async { calls(&engine).await[0].2.is_some() }).await;
    sqlx::query(
        "update callbacks set due_at = now(), first_attempt_at = now() - interval '24 hours' where attempts = 1",
    )
    .execute(engine.app.store().pool())
    .await
    .unwrap();
    engine.app.store().callback_wake().hint();
    until_states(&engine, &["given_up", "delivered"]).await;
    assert_eq!(calls(&engine).await[0].2.as_deref(), Some("503 Service Unavailable"));
    engine.finish().await;
}

/// The worker was killed between the claim and the answer.
#[tokio::test]
async fn a_call_whose_worker_is_gone_is_made_by_another() {
    let engine = Engine::start().await;
    let url = Some(format!("{}/st", engine.endpoint.url));
    let store = engine.app.store();
    sqlx::query(
        "insert into callbacks (account_id, subject, event, url, body, state, attempts, first_attempt_at, due_at)
         values ($1, 'm', 'submitted', $2, '{}', 'pending', 1, now(), now())",
    )
    .bind(engine.app.account().as_str())
    .bind(url)
    .execute(store.pool())
    .await
    .unwrap();
    store.callback_wake().hint();
    until_states(&engine, &["delivered"]).await;
    assert_eq!(calls(&engine).await[0].1, 2);
    engine.finish().await;
}

#[tokio::test]
async fn without_an_address_nobody_is_told_and_it_is_kept() {
    let engine = Engine::start().await;
    assert!(engine.app.store().enqueue_callback(&callback(&engine, "m", "submitted", None)).await.unwrap());
    assert_eq!(calls(&engine).await, [("skipped".to_owned(), 0, None)]);
    engine.finish().await;
}

#[tokio::test]
async fn a_worker_looks_at_once_when_another_process_wrote_a_call_down() {
    let engine = Engine::start().await;
    until("the worker has looked, and finds nothing", || async {
        engine.app.store().next_callback_in().await.unwrap().is_none()
    })
    .await;
    // Another store: its hints come by the database alone.
    let other = open_store(engine.app.database_url());
    let begun = Instant::now();
    for event in ["submitted", "delivered", "read"] {
        let url = Some(format!("{}/st", engine.endpoint.url));
        let count = engine.endpoint.bodies_at("/st").len();
        assert!(other.enqueue_callback(&callback(&engine, "m", event, url)).await.unwrap());
        until("it is made", || async { engine.endpoint.bodies_at("/st").len() > count }).await;
    }
    // Three looks of a worker that is not told would take longer.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    engine.finish().await;
}

/// `count` calls of an account that are due, each about a subject of its own.
async fn write_down(store: &Store, account: &AccountId, count: i32, url: &str) {
    sqlx::query(
        "insert into callbacks (account_id, subject, event, url, body, state, due_at)
         select $1, n::text, 'submitted', $3, '{}', 'pending', now() - interval '1 hour'
         from generate_series(1, $2) as n",
    )
    .bind(account.as_str())
    .bind(count)
    .bind(url)
    .execute(store.pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_its_own_account_alone() {
    let engine = Engine::start().await;
    let store = engine.app.store();
    let (other, _) = engine.app.other_account("other").await;
    // It takes connections and says nothing.
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/st", hole.local_addr().unwrap());
    let swallowing = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = hole.accept().await {
            held.push(connection);
        }
    });
    write_down(store, engine.app.account(), 400, &url).await;
    store.callback_wake().hint();
    let under_way = async || {
        let count: i64 =
            sqlx::query_scalar("select count(*) from callbacks where attempts > 0 and account_id = $1")
                .bind(engine.app.account().as_str())
                .fetch_one(store.pool())
                .await
                .unwrap();
        count
    };
    until("as many are under way as may be", || async { under_way().await >= AT_ONCE }).await;
    let begun = Instant::now();
    let told = NewCallback { account: other, ..callback(&engine, "m", "submitted", None) };
    let told = NewCallback { url: Some(format!("{}/st", engine.endpoint.url)), ..told };
    assert!(store.enqueue_callback(&told).await.unwrap());
    until("the other account's is made", || async { !engine.endpoint.bodies_at("/st").is_empty() }).await;
    if begun.elapsed() < Duration::from_secs(5) {
        assert_eq!(under_way().await, AT_ONCE);
    } else {
        panic!("it waited for {:?}", begun.elapsed());
    }
    swallowing.abort();
    engine.finish().await;
}

#[tokio::test]
async fn accounts_take_turns_and_none_has_more_under_way_than_it_may() {
    let app = TestApp::start().await;
    let store = app.store();
    let (busy, quiet) = (app.account(), app.other_account("other").await.0);
    write_down(store, busy, 100, "https://shop.example/st").await;
    write_down(store, &quiet, 3, "https://shop.example/st").await;
    let lease = Duration::from_secs(60);
    let claim = async |limit| store.claim_callbacks(limit, lease).await.unwrap();
    let of = |claimed: &[Callback], account: &AccountId| {
        claimed.iter().filter(|call| call.account == *account).count()
    };

    let first = claim(2).await;
    assert_eq!((of(&first, busy), of(&first, &quiet)), (1, 1));
    let second = claim(3).await;
    assert!((1..=2).contains(&of(&second, &quiet)), "{second:?}");
    // Two at the same moment, as two workers are.
    let (third, fourth) = tokio::join!(claim(64), claim(64));
    let all = [first, second, third, fourth].concat();
    assert_eq!((of(&all, busy), of(&all, &quiet)), (8, 3));
    assert!(claim(64).await.is_empty());

    // What is over makes room; that it is tried again in a while takes none.
    assert!(store.settle_callback(&all[0], Delivery::Again(lease), "500").await.unwrap());
    let call = all.iter().find(|call| call.account == *busy && call.id != all[0].id).unwrap();
    assert!(store.settle_callback(call, Delivery::Delivered, "200").await.unwrap());
    let room = 1 + usize::from(all[0].account == *busy);
    assert_eq!(of(&claim(64).await, busy), room);
    // Who does not come back holds its place no longer than its lease.
    sqlx::query("update callbacks set due_at = now() where answer is null and due_at > now()")
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(of(&claim(64).await, busy), 8);
}

#[tokio::test]
async fn of_many_calls_that_are_due_few_are_looked_at() {
    let app = TestApp::start().await;
    let store = app.store();
    for number in 0..10 {
        let (account, _) = app.other_account(&format!("account-{number}")).await;
        write_down(store, &account, 10_000, "https://shop.example/st").await;
    }
    sqlx::query("analyze callbacks").execute(store.pool()).await.unwrap();
    // On one connection, which is asked to say at once what it has read.
    let alone = Store::open(app.direct_url(), 1).unwrap();
    let claimed = alone.claim_callbacks(64, Duration::from_secs(60)).await.unwrap();
    assert_eq!(claimed.len(), 64);
    for call in &claimed {
        let of_account = claimed.iter().filter(|other| other.account == call.account).count();
        assert!((6..=7).contains(&of_account), "{of_account} of one account");
    }
    sqlx::query("select pg_stat_force_next_flush()").execute(alone.pool()).await.unwrap();
    let (by_scan, by_index): (i64, i64) = sqlx::query_as(
        "select t.seq_tup_read, sum(i.idx_tup_read)::bigint
         from pg_stat_user_tables t
         join pg_stat_user_indexes i on i.relid = t.relid
         where t.relname = 'callbacks'
         group by t.seq_tup_read",
    )
    .fetch_one(alone.pool())
    .await
    .unwrap();
    assert_eq!(by_scan, 0);
    assert!((64..1_000).contains(&by_index), "{by_index}");
    alone.close().await;
}
