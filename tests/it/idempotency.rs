//! `Idempotency-Key` on calls that start instances.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, TestApp, sample};

#[tokio::test]
async fn a_repeated_start_is_answered_as_the_first_and_starts_nothing() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = format!("/definitions/{id}/workflows");
    let start = async |key: &str, body: &'static str| {
        let request = app.account_request(Method::POST, &path).header("Idempotency-Key", key).body(body);
        Answer::of(request).await
    };
    let first = start("k", "{}").await;
    first.expect_empty(201);
    let second = start("k", "{}").await;
    second.expect_empty(201);
    assert_eq!(first.header("location"), second.header("location"));
    assert_eq!(app.instances_of(&id).await.len(), 1);

    let other_body = start("k", "{\"a\": 1}").await;
    assert_eq!(other_body.expect_error(409, 1000), "Idempotency-Key was used with another request.");
    assert_ne!(start("k2", "{}").await.header("location"), first.header("location"));
    assert_eq!(app.instances_of(&id).await.len(), 2);
    let too_long = "x".repeat(256);
    for key in ["", &too_long, "ä"] {
        assert_eq!(start(key, "{}").await.expect_error(400, 1000), "Invalid Idempotency-Key.");
    }
}

#[tokio::test]
async fn repeated_starts_at_the_same_time_start_one_instance() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = format!("/definitions/{id}/workflows");
    let starts = (0..8).map(|_| {
        Answer::of(app.account_request(Method::POST, &path).header("Idempotency-Key", "k").body("{}"))
    });
    let answers = futures::future::join_all(starts).await;
    for answer in &answers {
        answer.expect_empty(201);
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    assert_eq!(app.instances_of(&id).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_one_accounts_and_one_requests() {
    let app = TestApp::start().await;
    let id = app.define(sample::enabled("http_request", None)).await;
    let raise = async |body: &'static str| {
        let request = app.account_request(Method::POST, "/triggers/http_request");
        Answer::of(request.header("idempotency-key", "k").body(body)).await
    };
    raise("{}").await.expect_empty(200);
    raise("{}").await.expect_empty(200);
    assert_eq!(app.instances_of(&id).await.len(), 1);
    raise("[]").await.expect_error(409, 1000);
    let path = format!("/definitions/{id}/workflows");
    let elsewhere = app.account_request(Method::POST, &path).header("Idempotency-Key", "k").json(&json!({}));
    Answer::of(elsewhere).await.expect_error(409, 1000);

    let (_, key) = app.other_account("other").await;
    let theirs = app.request(Method::POST, "/api/v1/accounts/other/triggers/http_request").bearer_auth(&key);
    Answer::of(theirs.header("Idempotency-Key", "k").body("{}")).await.expect_empty(200);
}
