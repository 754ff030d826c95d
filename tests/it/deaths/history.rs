//! What the history knows of workers that die; and that no secret is in what it, the API and the logs say.

use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_store::webhook_settings::dtmf_token;

use super::processes::WorkerProcess;
use crate::support::{Endpoint, TestApp, sample, until};

async fn history(app: &TestApp, instance: &str) -> Vec<Value> {
    let id = instance.rsplit('/').next().unwrap();
    let page = app.get(&format!("/instances/{id}/history")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

async fn ends(app: &TestApp, instance: &str) {
    until("the instance ends", async || app.get(instance).await.expect(200)["completedAt"].is_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_worker_was_killed_is_told_as_interrupted() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    endpoint.hold_answers();
    let step = json!({"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": format!("{}/json", endpoint.url), "method": "GET", "timeoutSeconds": 60}});
    let definition = app.define(sample::definition(json!([step]))).await;
    let mut worker = WorkerProcess::start(app.database_url());
    let instance = app.start_instance(&definition, json!({})).await;
    until("the call is made", async || !endpoint.received().is_empty()).await;
    worker.kill();
    endpoint.give_answers();
    let heir = WorkerProcess::start(app.database_url());
    ends(&app, &instance).await;
    let history = history(&app, &instance).await;
    let attempts: Vec<&Value> = history.iter().map(|item| &item["attempt"]).collect();
    assert_eq!(attempts.len(), 2, "{history:#?}");
    for (attempt, number, outcome, by) in
        [(attempts[0], 1, "interrupted", &worker.name), (attempts[1], 2, "completed", &heir.name)]
    {
        assert_eq!((&attempt["attempt"], &attempt["outcome"]), (&json!(number), &json!(outcome)));
        assert_eq!((&attempt["step"], &attempt["worker"]), (&json!("call"), &json!(by)));
        assert_eq!(attempt["id"], attempts[0]["id"]);
    }
    assert_eq!((&attempts[0]["exchanges"], &attempts[0]["inputs"]), (&json!([]), &json!(null)));
    assert_eq!(attempts[1]["exchanges"].as_array().unwrap().len(), 1);
    assert!(app.store().verify().await.unwrap().is_empty());
}

const KEY: &str = "CANARY-connector-key-1";
const CONVERSE_AUTHORIZATION: &str = "Bearer CANARY-converse-auth-2";
const WEBHOOK: &str = "Basic CANARY-webhook-3";

/// The account's connectors, and its webhook secret.
async fn connect(app: &TestApp, endpoint: &Endpoint) {
    let (store, url) = (app.store(), &endpoint.url);
    for (kind, settings, secret) in [
        (
            ConnectorKind::EightByEight,
            json!({"smsUrl": url, "chatAppsUrl": url, "voiceUrl": url, "voiceApi": "calls"}),
            KEY,
        ),
        (
            ConnectorKind::Converse,
            json!({"url": format!("{url}/CANARY-converse-path-4?key=CANARY-converse-key-5")}),
            CONVERSE_AUTHORIZATION,
        ),
    ] {
        let connector = NewConnector {
            account: app.account(),
            kind,
            subaccount: None,
            settings: &settings,
            secret: Some(secret),
        };
        assert!(store.set_connector(connector, &By::trunkline()).await.unwrap());
    }
    assert!(store.replace_webhook_secret(app.account(), WEBHOOK, &By::trunkline()).await.unwrap());
}

/// The other side repeats what it was sent.
fn script_echoes(endpoint: &Endpoint, token: &str) {
    let url = &endpoint.url;
    let said = "CANARY-header-6 CANARY-url-password-8 CANARY-query-9 CANARY-parameter-10 CANARY-cookie-11";
    let echo = json!({"headers": {"authorization": "Bearer CANARY-header-6", "x-api-key": "CANARY-api-key-7"},
        "said": said, "member": "CANARY-member-13"});
    endpoint.script("/echo", &[(200, echo)]);
    let answer = json!({"umid": "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21", "status": {"code": "QUEUED"},
        "said": format!("Bearer {KEY}"), "raw": KEY});
    endpoint.script("/api/v1/subaccounts/acme_sms/messages", &[(200, answer)]);
    let placed = json!({"uid": "D9874358-0000-4C50-8BAB-1EB634482A94", "statusCode": 1,
        "said": format!("{KEY} {token} {WEBHOOK}")});
    endpoint.script("/api/v1/subaccounts/acme_voice/calls", &[(200, placed)]);
    let handed_over = json!({"ticketId": "T-1", "said": format!("POST {url}/CANARY-converse-path-4 key=CANARY-converse-key-5"),
        "raw": "CANARY-converse-key-5 CANARY-converse-auth-2 /CANARY-converse-path-4?key=CANARY-converse-key-5"});
    endpoint.script("/CANARY-converse-path-4", &[(200, handed_over)]);
}

/// Each secret comes in another way.
fn secretive_steps(endpoint: &Endpoint) -> Value {
    let host = endpoint.url.strip_prefix("http://").unwrap();
    let request = json!({
        "url": format!("http://user:CANARY-url-password-8@{host}/echo?token=CANARY-query-9"), "method": "POST",
        "headers": {"Authorization": "Bearer CANARY-header-6", "X-Api-Key": "CANARY-api-key-7",
            "Cookie": "session=CANARY-cookie-11", "X-Ours": "CANARY-named-12"},
        "parameters": {"api_key": "CANARY-parameter-10"},
        "body": {"password": "CANARY-member-13", "ours": "CANARY-named-14", "text": "hello",
            "link": "https://h.example/reset?token=CANARY-link-15"},
    });
    json!([
        {"id": "ask", "stepType": "HttpRequest", "inputs": request, "nextStepId": "sms"},
        {"id": "sms", "stepType": "SMS", "nextStepId": "call", "inputs": {"subAccountId": "acme_sms",
            "destination": "+6590001111", "text": "https://h.example/r?access_token=CANARY-link-15"}},
        {"id": "call", "stepType": "VoiceMessage", "nextStepId": "people", "inputs": {"subaccountId": "acme_voice",
            "action": "say&capture", "params": {"source": "+6568000000", "destination": "+6590001111", "text": "1?",
                "voiceProfile": "en-US-ZiraRUS", "maxDigits": 1}}},
        {"id": "people", "stepType": "SendToConverse", "inputs": {"payload": {"text": "help"}}, "nextStepId": "nobody"},
        {"id": "nobody", "stepType": "HttpRequest", "retry": {"maxAttempts": 2, "initialInterval": "00:00:00.01"},
            "inputs": {"url": "http://user:CANARY-url-password-8@127.0.0.1:1/x?token=CANARY-query-9", "method": "GET"}},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_history_in_answers_or_in_logs() {
    let app = TestApp::start().await;
    let endpoint = Endpoint::start().await;
    connect(&app, &endpoint).await;
    let store = app.store();
    let token = dtmf_token(WEBHOOK);
    script_echoes(&endpoint, &token);
    let definition = app.define(sample::definition(secretive_steps(&endpoint))).await;
    for bodies in ["keep", "redact", "hash"] {
        let policy = json!({"bodies": bodies, "headers": ["X-Ours"], "members": ["ours"]});
        app.put("/history-policy", policy).await.expect(200);
        let environment = [("TRUNKLINE_PUBLIC_URL", "https://us.example"), ("TRUNKLINE_LOG", "debug")];
        let worker = WorkerProcess::start_with(app.database_url(), &environment);
        let instance = app.start_instance(&definition, json!({})).await;
        ends(&app, &instance).await;
        let history = history(&app, &instance).await;
        let attempts: Vec<String> = history
            .iter()
            .map(|item| {
                let attempt = &item["attempt"];
                format!("{} {}", attempt["step"].as_str().unwrap(), attempt["outcome"].as_str().unwrap())
            })
            .collect();
        assert_eq!(
            attempts,
            [
                "ask completed",
                "sms completed",
                "call completed",
                "people completed",
                "nobody retried",
                "nobody failed"
            ],
            "{history:#?}"
        );
        let url = &history[3]["attempt"]["exchanges"][0]["request"]["url"];
        assert_eq!(url, "Converse");
        let body = &history[2]["attempt"]["exchanges"][0]["request"]["body"]["json"];
        let callback = body["callflow"][0]["params"]["dtmfCallbackUrl"].as_str().unwrap();
        assert!(callback.ends_with("/dtmf?token=[redacted]"), "{callback}");
        let id = instance.rsplit('/').next().unwrap();
        let rows: Vec<String> = sqlx::query_scalar(
            "select row_to_json(a)::text from attempts a
             union all
             select row_to_json(m)::text from message_states m
             union all
             select row_to_json(f)::text from failures f",
        )
        .fetch_all(store.pool())
        .await
        .unwrap();
        let log = worker.log();
        assert!(log.lines().count() > 3, "{log}");
        let errors = app.get(&format!("{instance}/errors")).await.expect(200).to_string();
        let audit = app.get("/audit").await.expect(200).to_string();
        let why = app.get(&format!("/instances/{id}")).await.expect(200);
        let faults: Vec<&Value> =
            why["steps"].as_array().unwrap().iter().map(|step| &step["error"]).collect();
        let faults = format!("{faults:?}");
        for (place, text) in [
            ("the history", &Value::from(history.clone()).to_string()),
            ("the table", &rows.concat()),
            ("the log", &log),
            ("the errors", &errors),
            ("the faults", &faults),
            ("the audit", &audit),
        ] {
            let found = text.find("CANARY").map(|at| &text[at.saturating_sub(300)..text.len().min(at + 60)]);
            assert_eq!(found, None, "{bodies}: {place}");
            assert!(!text.contains(&token), "{bodies}: {place}");
        }
        // As they are kept, all but the secrets is.
        let ask = history[0]["attempt"]["exchanges"][0]["request"]["body"]["json"].to_string();
        assert_eq!(ask.contains("hello"), bodies == "keep", "{ask}");
    }
}
