//! What an installation can set about the checks of workflows (Dispatch 4.6, U2, U6).

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline::api::ApiConfig;
use trunkline_store::audit::By;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::dispatch::{Rules, Strictness};

use crate::nexmo::site::{API_KEY, basic, expect_accepted, expect_problem};
use crate::support::{Answer, TestApp};

/// The answers of a server with these rules to workflows.
async fn answers(dispatch_rules: Rules, workflows: &[Value]) -> Vec<Answer> {
    let app = TestApp::start_with(ApiConfig { dispatch_rules, ..ApiConfig::default() }).await;
    app.store().ensure_nexmo_account(app.account(), API_KEY, &By::trunkline()).await.unwrap().unwrap();
    let secret = ApiSecret::from_random(rand::random());
    assert!(matches!(
        app.store().add_secret(app.account(), &secret, &By::trunkline()).await.unwrap(),
        AddedSecret::Added(_)
    ));
    let mut answers = Vec::new();
    for workflow in workflows {
        let request = app.request(Method::POST, "/v0.1/dispatch");
        let request = request.header(AUTHORIZATION, basic(API_KEY, secret.reveal()));
        answers.push(Answer::of(request.json(&json!({"template": "failover", "workflow": workflow}))).await);
    }
    answers
}

fn step(channel: &str, condition: &str) -> Value {
    json!({"from": {"type": channel, "number": "447700900001"}, "to": {"type": channel, "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Hi"}},
        "failover": {"expiry_time": 600, "condition_status": condition}})
}

#[tokio::test]
async fn a_strict_server_refuses_to_wait_for_what_never_comes() {
    let read = json!([step("sms", "read"), step("sms", "delivered")]);
    let others = [
        json!([step("whatsapp", "read"), step("sms", "delivered")]),
        json!([step("sms", "delivered"), step("sms", "read")]),
    ];
    let workflows = [&[read][..], &others].concat();
    for answer in answers(Rules::default(), &workflows).await {
        expect_accepted(&answer);
    }
    let strict = answers(Rules { strictness: Strictness::Strict, ..Rules::default() }, &workflows).await;
    let problem = expect_problem(&strict[0], 400, "#InvalidParams");
    let names: Vec<_> =
        problem["invalid_parameters"].as_array().unwrap().iter().map(|flaw| &flaw["name"]).collect();
    assert_eq!(names, ["workflow[0].failover.condition_status"], "{problem}");
    for answer in &strict[1..] {
        expect_accepted(answer);
    }
}

#[tokio::test]
async fn a_workflow_has_no_more_messages_than_the_server_allows() {
    let of = |count: usize| Value::from(vec![step("sms", "delivered"); count]);
    let answers = answers(Rules { most_steps: 2, ..Rules::default() }, &[of(2), of(3)]).await;
    expect_accepted(&answers[0]);
    expect_problem(&answers[1], 400, "#InvalidParams");
}
