//! Checking without saving, and the JSON Schema of definitions (extensions).

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, definition, enabled, pong};

async fn validate(app: &TestApp, body: Value) -> Value {
    app.post("/definitions/validate", body).await.expect(200)
}

#[tokio::test]
async fn a_definition_without_problems_is_valid_and_is_not_saved() {
    let app = TestApp::start().await;
    for body in [pong(), enabled("http_request", Some("acme_sms"))] {
        let mut body = body;
        body["definition"]["steps"][0]["selectNextStep"] = Value::Null;
        body["definition"]["steps"][0]["stepType"] = "SMS".into();
        body["definition"]["steps"][0]["inputs"] =
            json!({"subAccountId": "s", "destination": "{{data.to}}", "text": "x"});
        assert_eq!(validate(&app, body).await, json!({"valid": true, "problems": []}));
    }
    assert_eq!(app.get("/definitions").await.expect(200), json!([]));
}

#[tokio::test]
async fn all_problems_are_told_at_once_with_step_and_column() {
    let app = TestApp::start().await;
    let mut body = definition(json!([
        {"id": "ask", "stepType": "WaitForReply", "inputs": {"from": "é {{data.x = 1}} {{1 2}}", "timeout": "soon"},
            "nextStepId": "gone"},
        {"id": "odd", "stepType": "branch", "selectNextStep": {"a/b": "{{ new Date() }}"}},
    ]));
    body["status"] = "on".into();
    let answer = validate(&app, body.clone()).await;
    assert_eq!(
        answer,
        json!({"valid": false, "problems": [
            {"severity": "error", "message": "Status 'on' is not supported.", "step": null, "path": "/status"},
            {"severity": "error", "message": "Step 'ask': input 'channel' is required.", "step": "ask",
                "path": "/definition/steps/0/inputs/channel"},
            {"severity": "error", "message": "Step 'ask': invalid timespan 'soon'.", "step": "ask",
                "path": "/definition/steps/0/inputs/timeout"},
            {"severity": "error", "message": "Step 'ask': invalid script.", "step": "ask",
                "path": "/definition/steps/0/inputs/from", "column": 5, "detail": "assignments are not allowed"},
            {"severity": "error", "message": "Step 'ask': invalid script.", "step": "ask",
                "path": "/definition/steps/0/inputs/from", "column": 22, "detail": "Unexpected token"},
            {"severity": "error", "message": "Step 'odd': invalid script.", "step": "odd",
                "path": "/definition/steps/1/selectNextStep/a~1b", "column": 4, "detail": "`new` is not allowed"},
            {"severity": "warning", "step": "ask", "path": "/definition/steps/0/nextStepId",
                "message": "Step 'ask': there is no step 'gone' to go on with; the path ends there."},
            {"severity": "warning", "message": "Step 'odd' is never reached.", "step": "odd",
                "path": "/definition/steps/1"},
            {"severity": "warning", "step": "odd", "path": "/definition/steps/1/selectNextStep/a~1b",
                "message": "Step 'odd': there is no step 'a/b' to go on with; the path ends there."},
        ]})
    );
    assert_eq!(app.post("/definitions", body).await.expect_error(400, 5001), "Status 'on' is not supported.");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_a_problem_with_a_place() {
    let app = TestApp::start().await;
    let post = async |body: &str| {
        Answer::of(app.account_request(Method::POST, "/definitions/validate").body(body.to_owned())).await
    };
    assert_eq!(
        post("{\"trigger\": \"http_request\",\n  \"definition\": {,}}").await.expect(200),
        json!({"valid": false, "problems": [{"severity": "error", "step": null,
            "message": "Invalid request body. Key must be a string at line 2 column 18.", "path": "", "line": 2, "column": 18, "detail": "key must be a string"}]})
    );
    for body in ["", "[]", "\"x\"", "{\"a\":\"\\ud800\"}", "{\"a\":\"\0\"}", &"[".repeat(300)] {
        let answer = post(body).await.expect(200);
        assert_eq!(answer["valid"], false, "{body}");
        let message = answer["problems"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("Invalid request body. "), "{body}: {message}");
    }
    let typed = app.account_request(Method::POST, "/definitions/validate").header("content-type", "text/xml");
    Answer::of(typed.body("{}")).await.expect_error(415, 1000);
}

/// What is asked of extensions is asked when a definition is saved.
#[tokio::test]
async fn retry_is_checked_when_a_definition_is_saved_and_is_shown_as_submitted() {
    let app = TestApp::start().await;
    let with = |retry: Value| {
        definition(json!([{"id": "s", "stepType": "Wait", "inputs": {"duration": "1"}, "retry": retry}]))
    };
    for (retry, message) in [
        (json!("often"), "Step 's': retry must be an object."),
        (json!({"backoff": 2}), "Step 's': retry maxAttempts is required."),
        (json!({"maxAttempts": 101}), "Step 's': retry maxAttempts must be an integer from 1 to 100."),
        (json!({"maxAttempts": 2, "backoff": 0.9}), "Step 's': retry backoff must be a number of 1 or more."),
        (
            json!({"maxAttempts": 2, "initialInterval": "soon"}),
            "Step 's': retry initialInterval: invalid timespan 'soon'.",
        ),
    ] {
        assert_eq!(app.post("/definitions", with(retry)).await.expect_error(400, 5001), message);
    }
    let retry =
        json!({"maxAttempts": 5, "initialInterval": "00:00:05", "backoff": 2, "maxInterval": "00:05:00"});
    let saved = app.post("/definitions", with(retry.clone())).await.expect(201);
    assert_eq!(saved["definition"]["steps"][0]["retry"], retry);
}

async fn schema(app: &TestApp) -> Validator {
    let answer = Answer::of(app.request(Method::GET, "/schemas/definition.json")).await;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let schema = answer.expect(200);
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

fn problems_by_schema(schema: &Validator, body: &Value) -> Vec<String> {
    schema.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[tokio::test]
async fn the_examples_have_no_problems_by_the_check_and_by_the_schema() {
    let app = TestApp::start().await;
    let schema = schema(&app).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ext| ext == "json")).collect();
    assert!(files.len() >= 5);
    for file in files {
        let body: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(problems_by_schema(&schema, &body), [""; 0], "{}", file.display());
        assert_eq!(validate(&app, body).await, json!({"valid": true, "problems": []}), "{}", file.display());
    }
}

/// Definitions as the guides and exports of the original write them.
#[tokio::test]
async fn what_the_schema_allows_can_be_saved() {
    let app = TestApp::start().await;
    let schema = schema(&app).await;
    let exported = |id: &str, step_type: &str, inputs: Value, select: Value| {
        json!({"stepType": step_type, "id": id, "do": [], "nextStepId": null, "inputs": inputs, "outputs": {},
            "selectNextStep": select})
    };
    let steps = json!([
        exported("greet", "ChatAppsMessage", json!({"subAccountId": "acme_chat", "user": {"msisdn": "{{data.x}}"},
            "type": "Text", "content": {"text": "1 or 2?", "sms": {"text": "1 or 2?", "encoding": "Auto"}}}), json!({})),
        exported("ask", "WaitForReply",
            json!({"from": "{{data.payload.source}}", "channel": "RCS", "timeout": "2"}),
            json!({"lookup": "{{ step.reply != null }}", "others": null})),
        {"id": "lookup", "stepType": "HttpRequest", "inputs": {"url": "https://example.com/{{data.reply}}",
            "method": "get", "timeoutSeconds": "{{data.timeout}}", "headers": {"content-Type": "application/json"},
            "parameters": {"a": 1}, "body": {}, "outputs": {"ignored": "{{step.responseCode}}"}},
            "outputs": {"code": "{{step.responseCode}}"}, "nextStepId": "if",
            "retry": {"maxAttempts": 3, "initialInterval": "00:00:01"}},
        {"id": "if", "stepType": "If", "do": [[
            {"id": "again", "stepType": "Wait", "inputs": {"duration": "0.00:05:00"}, "nextStepId": "ask"}]]},
        {"id": "again", "stepType": "branch", "inputs": {"minutes": 5}, "selectNextStep": {"ask": "{{code >= 400}}"}},
        {"id": "call", "stepType": "VoiceMessage", "inputs": {"subaccountId": "acme_voice",
            "clientRequestId": "{{uuid()}}", "action": "Say&Capture", "params": {"source": "+6580002222",
                "destination": "{{data.x}}", "text": "Press 1", "repetition": 1, "endMessage": null}},
            "nextStepId": "press", "selectNextStep": {"press": null}},
        {"id": "press", "stepType": "WaitForDTMF", "inputs": {"correlationId": "{{data.request}}", "timeout": "6:30"}},
        {"id": "hand_over", "stepType": "SendToConverse", "inputs": {"payload": "{{data.payload}}"}},
        {"id": "receipt", "stepType": "WaitForReceipt", "inputs": {"umid": "{{data.umid}}", "states": ["delivered"]}},
        {"id": "jump", "stepType": "goto", "inputs": {"stepId": "ask"}},
        {"id": "untyped", "inputs": {"subAccountId": "s", "destination": 6_590_001_111_u64, "text": "x"}},
        exported("pause", "Wait", json!({"duration": 3}), json!(null))
    ]);
    let mut body = definition(steps);
    body["$schema"] = "http://localhost/schemas/definition.json".into();
    body["subAccountId"] = Value::Null;
    body["status"] = "Enabled".into();
    let mut scheduled = body.clone();
    scheduled["trigger"] = "schedule".into();
    scheduled["schedule"] =
        json!({"cron": "0 9 * * 1-5", "timeZone": "Singapore Standard Time", "missed": "Skip"});
    for body in [pong(), body, scheduled] {
        assert_eq!(problems_by_schema(&schema, &body), [""; 0], "{body}");
        app.post("/definitions", body).await.expect(201);
    }
}

#[tokio::test]
async fn what_cannot_be_saved_is_wrong_by_the_schema() {
    let app = TestApp::start().await;
    let schema = schema(&app).await;
    let with = |member: &str, value: Value| {
        let mut body = pong();
        body[member] = value;
        body
    };
    let step = |step: Value| definition(json!([step]));
    for body in [
        json!([]),
        json!({}),
        with("trigger", "sms".into()),
        with("trigger", Value::Null),
        with("status", "on".into()),
        with("subAccountId", 5.into()),
        with("definition", json!({"name": " ", "steps": [{"id": "a", "stepType": "If"}]})),
        with("definition", json!({"name": "x", "steps": []})),
        with("trigger", "schedule".into()),
        step(json!({"stepType": "If"})),
        step(json!({"id": "a"})),
        step(json!({"id": "a", "stepType": "Telegram"})),
        step(json!({"id": "a", "stepType": "SMS", "inputs": {"subAccountId": "s", "destination": "d"}})),
        step(json!({"id": "a", "stepType": "httprequest", "inputs": {"url": "x"}})),
        step(json!({"id": "a", "stepType": "Wait", "inputs": {"duration": "24:00:00"}})),
        step(json!({"id": "a", "stepType": "Wait", "inputs": {"duration": null}})),
        step(json!({"id": "a", "stepType": "Wait"})),
        step(json!({"id": "a", "stepType": "Branch", "selectNextStep": {}})),
        step(json!({"id": "a", "stepType": "VoiceMessage", "inputs": {"action": "sing", "params": {}}})),
        step(json!({"id": "a", "stepType": "If", "do": [{"id": "b", "stepType": "If"}]})),
        step(json!({"id": "a", "stepType": "If", "do": [[{"id": "b", "stepType": "Wait"}]]})),
        step(json!({"id": "a", "stepType": "If", "nextStepId": 1})),
        step(json!({"id": "a", "stepType": "If", "outputs": []})),
        step(json!({"id": "a", "stepType": "If", "retry": {"maxAttempts": 0}})),
        step(json!({"id": "a", "stepType": "If", "retry": {"maxAttempts": 2, "maxInterval": "x"}})),
    ] {
        assert!(!schema.is_valid(&body), "{body}");
        assert_eq!(validate(&app, body.clone()).await["valid"], false, "{body}");
    }
}
