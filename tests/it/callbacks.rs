//! Calls to addresses of customers: made in order, repeated, given up, and nobody's business but the receiver's.

use std::time::{Duration, Instant};

use serde_json::json;
use trunkline_store::callbacks::NewCallback;

use crate::support::{Engine, open_store, until};

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
