//! What an instance did, as its history tells it.

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;

use crate::support::{Answer, Engine, Run, TestApp, sample, until};

const SMS: &str = "/api/v1/subaccounts/acme_sms/messages";
const UMID: &str = "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21";

fn path(instance: &str) -> String {
    format!("/instances/{}/history", instance.rsplit('/').next().unwrap())
}

async fn history(engine: &Engine, run: &Run<'_>) -> Vec<Value> {
    let page = engine.app.get(&format!("{}?limit=500", path(&run.path))).await.expect(200);
    assert_eq!(page["next"], json!(null));
    page["items"].as_array().unwrap().clone()
}

fn attempts(history: &[Value]) -> Vec<Value> {
    let attempts = history.iter().filter(|item| item["kind"] == "attempt");
    attempts.map(|item| item["attempt"].clone()).collect()
}

async fn keep(engine: &Engine, bodies: &str) {
    engine.app.put("/history-policy", json!({"bodies": bodies})).await.expect(200);
}

/// An engine whose history keeps bodies.
async fn keeping_engine() -> Engine {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    keep(&engine, "keep").await;
    engine.start_worker(trunkline_workers::Settings::default());
    engine
}

fn call(url: &str, inputs: Value) -> Value {
    let mut all = json!({"url": url, "method": "POST"});
    all.as_object_mut().unwrap().extend(inputs.as_object().unwrap().clone());
    json!({"id": "call", "stepType": "HttpRequest", "inputs": all})
}

fn queued() -> Value {
    json!({"umid": UMID, "destination": "6590001111", "encoding": "GSM7",
        "status": {"code": "QUEUED", "description": "ok"}})
}

#[tokio::test]
async fn every_attempt_is_told_with_what_it_sent_and_got() {
    let engine = keeping_engine().await;
    let unavailable = (503, json!({"down": true}));
    engine.endpoint.script("/flaky", &[unavailable.clone(), unavailable, (200, json!({"answer": 42}))]);
    let mut step =
        call(&format!("{}/flaky", engine.endpoint.url), json!({"body": {"asks": "{{data.what}}"}}));
    step["retry"] = json!({"maxAttempts": 5, "initialInterval": "00:00:00.01"});
    let run = engine.run(json!([step]), json!({"what": "everything"})).await;
    let history = history(&engine, &run).await;
    let attempts = attempts(&history);
    let of = |name: &str| attempts.iter().map(|attempt| attempt[name].clone()).collect::<Vec<_>>();
    assert_eq!(history.len(), 3, "{history:#?}");
    assert_eq!(of("attempt"), [1, 2, 3]);
    assert_eq!(of("outcome"), ["retried", "retried", "completed"]);
    let error = json!("HTTP 503 Service Unavailable");
    assert_eq!(of("error"), [error.clone(), error, json!(null)]);
    assert_eq!(of("worker"), ["worker", "worker", "worker"]);
    assert!(of("id").windows(2).all(|pair| pair[0] == pair[1]));
    let statuses: Vec<i64> = attempts
        .iter()
        .map(|attempt| attempt["exchanges"][0]["response"]["status"].as_i64().unwrap())
        .collect();
    assert_eq!(statuses, [503, 503, 200]);

    let last = &attempts[2];
    assert_eq!((&last["step"], &last["stepType"]), (&json!("call"), &json!("HttpRequest")));
    assert_eq!(last["inputs"]["json"]["body"], json!({"asks": "everything"}), "as it was evaluated");
    assert_eq!(last["outputs"]["json"]["responseBody"], json!({"answer": 42}));
    let exchange = &last["exchanges"][0];
    assert_eq!(exchange["request"]["body"]["json"], json!({"asks": "everything"}));
    assert_eq!(exchange["request"]["url"], format!("{}/flaky", engine.endpoint.url));
    assert_eq!(exchange["response"]["body"]["json"], json!({"answer": 42}));
    let headers = exchange["request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["Idempotency-Key", last["id"]])), "{headers:?}");
    engine.finish().await;
}

#[tokio::test]
async fn a_call_without_an_answer_says_why() {
    let engine = keeping_engine().await;
    for (url, inputs, why) in [
        ("http://127.0.0.1:1/x".to_owned(), json!({}), "Connection refused"),
        (
            format!("{}/hangs", engine.endpoint.url),
            json!({"timeoutSeconds": 1}),
            "No response within 1 seconds",
        ),
        (
            engine.endpoint.url.replace("http:", "https:"),
            json!({}),
            "The SSL connection could not be established",
        ),
        (format!("{}/large", engine.endpoint.url), json!({}), "The response is larger than 1 MiB"),
        ("gopher://h/".to_owned(), json!({}), "http"),
    ] {
        let mut step = call(&url, inputs);
        step["retry"] = json!({"maxAttempts": 1});
        let run = engine.run(json!([step]), json!({})).await;
        let history = history(&engine, &run).await;
        let attempts = attempts(&history);
        let last = attempts.last().unwrap();
        assert_eq!((&last["outcome"], history.len()), (&json!("failed"), attempts.len()), "{history:#?}");
        let exchange = &last["exchanges"][0];
        assert_eq!(exchange["response"], json!(null));
        assert!(exchange["error"].as_str().unwrap().contains(why), "{exchange:#?}");
        assert!(last["error"].as_str().unwrap().starts_with("Call failed. "), "{last:#?}");
    }
    engine.finish().await;
}

#[tokio::test]
async fn a_step_that_only_decides_or_waits_tells_nothing_unless_it_fails() {
    let engine = keeping_engine().await;
    let steps = json!([
        {"id": "fork", "stepType": "Branch", "selectNextStep": {"pause": "{{true}}"}},
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:00:01"}, "nextStepId": "reply"},
        {"id": "reply", "stepType": "WaitForReply", "inputs": {"channel": "sms", "from": "{{data.from}}", "timeout": "01:00:00"}},
    ]);
    let run = engine.run(steps, json!({})).await;
    engine.pass_time(10.0).await;
    let history = history(&engine, &run).await;
    let kinds: Vec<(&Value, &Value)> =
        history.iter().map(|item| (&item["kind"], &item[item["kind"].as_str().unwrap()]["step"])).collect();
    let [step, attempt] = [json!("step"), json!("attempt")];
    assert_eq!(
        kinds,
        [(&step, &json!("fork")), (&step, &json!("pause")), (&attempt, &json!("reply"))],
        "{history:#?}"
    );
    let failed = &history[2]["attempt"];
    assert_eq!((&failed["outcome"], &failed["exchanges"]), (&json!("failed"), &json!([])));
    assert_eq!(failed["inputs"]["json"]["channel"], "sms");
    let rows: i64 = sqlx::query_scalar("select count(*) from attempts")
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
    assert_eq!(rows, 1);
    engine.finish().await;
}

#[tokio::test]
async fn bodies_are_cut_and_say_how_large_they_were() {
    let engine = keeping_engine().await;
    let long = "y".repeat(20_000);
    engine.endpoint.script("/long", &[(200, json!({"said": long}))]);
    let step = call(&format!("{}/long", engine.endpoint.url), json!({"body": {"text": "{{data.text}}"}}));
    let run = engine.run(json!([step]), json!({"text": "x".repeat(10_000)})).await;
    let attempt = attempts(&history(&engine, &run).await).remove(0);
    let exchange = &attempt["exchanges"][0];
    for (excerpt, size) in [
        (&exchange["request"]["body"], 10_000 + r#"{"text":""}"#.len()),
        (&exchange["response"]["body"], 20_000 + r#"{"said":""}"#.len()),
    ] {
        assert_eq!((&excerpt["size"], &excerpt["cut"]), (&json!(size), &json!(true)));
        assert_eq!(excerpt["text"].as_str().unwrap().len(), 4096);
    }
    assert_eq!(attempt["inputs"]["cut"], true);
    let longest: i32 = sqlx::query_scalar("select max(octet_length(detail)) from attempts")
        .fetch_one(engine.app.store().pool())
        .await
        .unwrap();
    assert!(longest < 6 * 4096 + 4096, "{longest}");
    engine.finish().await;
}

/// What a message, its receipts, who resumed the instance and who stopped it leave, page by page.
#[tokio::test]
async fn receipts_events_and_commands_stand_in_it_in_their_order() {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    engine.endpoint.script(SMS, &[(200, queued())]);
    let mut send = sample::sms("send");
    send["outputs"] = json!({"umid": "{{step.umid}}"});
    send["nextStepId"] = json!("read");
    let steps = json!([send,
        {"id": "read", "stepType": "WaitForReceipt", "nextStepId": "pause",
            "inputs": {"umid": "{{data.umid}}", "states": "read", "timeout": "01:00:00"}},
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}}]);
    let run = engine.run(steps, json!({"payload": {"source": "+6590001111"}})).await;
    for state in ["sent", "delivered", "read"] {
        engine.app.webhook(sample::receipt(UMID, state)).await.expect_empty(200);
        engine.run_until_idle().await;
    }
    let request = engine.app.account_request(Method::PATCH, &run.path).json(&json!({"status": "terminate"}));
    Answer::of(request.header("Trunkline-Reason", "seen enough")).await.expect_empty(200);

    let all = history(&engine, &run).await;
    let told: Vec<String> = all
        .iter()
        .map(|item| {
            let kind = item["kind"].as_str().unwrap();
            let what = &item[kind];
            let name = ["outcome", "status", "state", "action"].iter().find_map(|name| what[name].as_str());
            format!("{kind} {}", name.unwrap())
        })
        .collect();
    for (first, second) in [
        ("attempt completed", "receipt sent"),
        ("receipt sent", "receipt delivered"),
        ("receipt delivered", "receipt read"),
        ("event read", "step Complete"),
        ("step Complete", "action instance.terminate"),
    ] {
        let at = |name: &str| {
            told.iter().position(|told| told == name).unwrap_or_else(|| panic!("{name}: {told:?}"))
        };
        assert!(at(first) < at(second), "{first}, {second}: {told:?}");
    }
    // The wait that was cancelled is the eighth.
    assert_eq!(all.len(), 8, "{told:?}");
    let attempt = attempts(&all).remove(0);
    assert_eq!((&attempt["messageId"], &attempt["outcome"]), (&json!(UMID), &json!("completed")));
    let receipt = all.iter().find(|item| item["kind"] == "receipt").unwrap();
    assert_eq!((&receipt["receipt"]["messageId"], &receipt["receipt"]["id"]), (&json!(UMID), &attempt["id"]));
    assert_eq!(receipt["receipt"]["changedAt"], "2026-02-03T04:06:00.00Z");
    let action = all.iter().find(|item| item["kind"] == "action").unwrap();
    assert_eq!(action["action"]["reason"], "seen enough");

    let mut paged = Vec::new();
    let mut next = Value::Null;
    loop {
        let after = next.as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = engine.app.get(&format!("{}?limit=1{after}", path(&run.path))).await.expect(200);
        paged.extend(page["items"].as_array().unwrap().clone());
        next = page["next"].clone();
        if next.is_null() {
            break;
        }
    }
    assert_eq!(paged, all);
    for wrong in ["cursor=x", "limit=0", "limit=501"] {
        engine.app.get(&format!("{}?{wrong}", path(&run.path))).await.expect_error(400, 1000);
    }
    engine.finish().await;
}

/// By default texts and numbers are not kept; whoever keeps them says so, and it holds for what comes after.
#[tokio::test]
async fn the_policy_of_the_account_decides_what_is_written_from_then_on() {
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    engine.endpoint.script(SMS, &[(200, queued())]);
    let definition = engine.app.define(sample::definition(json!([sample::sms("send")]))).await;
    let run = async || {
        let data = json!({"payload": {"source": "+6590001111"}});
        let run = engine.run_definition(&definition, data).await;
        let attempt = attempts(&history(&engine, &run).await).remove(0);
        (run, attempt)
    };
    let (first, redacted) = run().await;
    let text = redacted.to_string();
    assert!(!text.contains("Pong") && !text.contains("90001111"), "{redacted:#}");
    let body = &redacted["exchanges"][0]["request"]["body"]["json"];
    assert_eq!(
        (&body["text"], &body["destination"]),
        (&json!("[redacted: 4 characters]"), &json!("[redacted: 11 characters]"))
    );
    assert_eq!(redacted["exchanges"][0]["response"]["body"]["json"]["umid"], UMID, "it is nobody's");
    assert_eq!(redacted["outputs"]["json"]["status"], "QUEUED");
    assert_eq!(
        engine.app.get("/history-policy").await.expect(200),
        json!({"bodies": "redact", "headers": [], "members": []})
    );

    let policy = json!({"bodies": "keep", "headers": ["X-Ours"], "members": ["encoding"]});
    assert_eq!(engine.app.put("/history-policy", policy.clone()).await.expect(200), policy);
    until("the worker knows the policy", async || run().await.1.to_string().contains("Pong")).await;
    let (_, kept) = run().await;
    assert_eq!(kept["exchanges"][0]["request"]["body"]["json"]["destination"], "+6590001111");
    assert_eq!(kept["exchanges"][0]["response"]["body"]["json"]["encoding"], "[redacted]");

    keep(&engine, "hash").await;
    until("the worker knows the policy", async || run().await.1.to_string().contains("[hash: ")).await;
    let [(_, one), (_, other)] = [run().await, run().await];
    let hash = |attempt: &Value| attempt["exchanges"][0]["request"]["body"]["json"]["destination"].clone();
    assert_eq!(hash(&one), hash(&other), "the same number, the same hash");
    assert!(!one.to_string().contains("Pong"));
    let then = attempts(&history(&engine, &first).await).remove(0);
    assert_eq!(then, redacted, "what was written stays");

    let audit = engine.app.get("/audit?action=history-policy.set").await.expect(200);
    assert_eq!(audit.as_array().unwrap().len(), 2);
    assert_eq!((&audit[1]["detail"], &audit[1]["actor"]["name"]), (&policy, &json!("tests")));
    for wrong in [
        json!({}),
        json!({"bodies": "some"}),
        json!({"bodies": "keep", "headers": "X"}),
        json!({"bodies": "keep", "members": [1]}),
        json!({"bodies": "keep", "members": [""]}),
        json!({"bodies": "keep", "headers": vec!["x"; 101]}),
    ] {
        engine.app.put("/history-policy", wrong).await.expect_error(400, 1000);
    }
    engine.finish().await;
}

#[tokio::test]
async fn the_history_of_another_accounts_instance_is_none() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let instance = app.start_instance(&definition, json!({})).await;
    let (_, key) = app.other_account("other").await;
    let theirs = format!("/api/v1/accounts/other{}", path(&instance));
    Answer::of(app.request(Method::GET, &theirs).bearer_auth(&key)).await.expect_error(404, 1300);
    let ours = format!("/api/v1/accounts/acme{}", path(&instance));
    Answer::of(app.request(Method::GET, &ours).bearer_auth(&key)).await.expect_error(403, 1201);
    app.get("/instances/0123456789abcdef01234567/history").await.expect_error(404, 1300);
    assert_eq!(app.get(&path(&instance)).await.expect(200), json!({"items": [], "next": null}));
    app.put("/history-policy", json!({"bodies": "keep"})).await.expect(200);
    let policy =
        Answer::of(app.request(Method::GET, "/api/v1/accounts/other/history-policy").bearer_auth(&key)).await;
    assert_eq!(policy.expect(200)["bodies"], "redact");
}
