//! Why an instance waits.

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::VoiceApi;

use crate::support::{Answer, Engine, Run, TestApp, sample, until};

async fn explain(app: &TestApp, instance: &str) -> Value {
    let id = instance.rsplit('/').next().unwrap();
    app.get(&format!("/instances/{id}")).await.expect(200)
}

/// What each unfinished step waits for.
async fn reasons(engine: &Engine, run: &Run<'_>) -> Vec<Value> {
    let explanation = explain(&engine.app, &run.path).await;
    let steps = explanation["steps"].as_array().unwrap();
    steps.iter().map(|step| step["blockedOn"].clone()).filter(|reason| !reason.is_null()).collect()
}

#[tokio::test]
async fn without_a_worker_a_job_says_so_and_how_many_are_ahead() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    app.start_instance(&definition, json!({})).await;
    let second = app.start_instance(&definition, json!({"n": 2})).await;
    // Accounts take turns: what another one has to do is not ahead.
    sqlx::query(
        "insert into jobs (instance_id, path, account_id, n, step, issued, alone, ready_at)
         values ('\\x000000000000000000000000', 1, 'other', 1, 0, 1, true, now() - interval '1 h')",
    )
    .execute(app.store().pool())
    .await
    .unwrap();
    let explanation = explain(&app, &second).await;
    assert_eq!(explanation["definition"], json!({"id": definition, "name": "Sample", "version": 1}));
    assert_eq!((&explanation["status"], &explanation["data"]["n"]), (&json!("Runnable"), &json!(2)));
    let step = &explanation["steps"][0];
    assert_eq!((&step["status"], &step["attempts"]), (&json!("Pending"), &json!(0)));
    assert_eq!((&step["blockedOn"]["reason"], &step["blockedOn"]["ahead"]), (&json!("noWorker"), &json!(1)));

    sqlx::query("insert into workers (name, slots, version, leased_until) values ('w', 1, '1', now() + interval '1 h')")
        .execute(app.store().pool())
        .await
        .unwrap();
    let queued = explain(&app, &second).await["steps"][0]["blockedOn"].clone();
    assert_eq!(
        (&queued["reason"], &queued["ahead"], &queued["workers"]),
        (&json!("queued"), &json!(1), &json!(1))
    );

    let pool = "update workers set accounts = '{other}'";
    sqlx::query(pool).execute(app.store().pool()).await.unwrap();
    let nobodys = explain(&app, &second).await["steps"][0]["blockedOn"].clone();
    assert_eq!((&nobodys["reason"], &nobodys["workers"]), (&json!("noWorker"), &json!(0)));

    for (leased_until, reason) in [("1 h", "running"), ("-1 s", "rescue")] {
        for statement in [
            format!("update workers set leased_until = now() + interval '{leased_until}'"),
            "update jobs set worker = (select id from workers)".to_owned(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(app.store().pool()).await.unwrap();
        }
        let blocked_on = explain(&app, &second).await["steps"][0]["blockedOn"].clone();
        assert_eq!((&blocked_on["reason"], &blocked_on["worker"]), (&json!(reason), &json!("w")));
    }
}

#[tokio::test]
async fn waits_say_for_what_and_until_when() {
    let engine = Engine::start().await;
    let waits = json!([
        {"id": "fork", "stepType": "Branch",
            "selectNextStep": {"time": "{{true}}", "reply": "{{true}}", "receipt": "{{true}}", "keys": "{{true}}"}},
        {"id": "time", "stepType": "Wait", "inputs": {"duration": "01:00:00"}},
        {"id": "reply", "stepType": "WaitForReply", "inputs": {"channel": "sms", "from": "+6590001111", "timeout": "01:00:00"}},
        {"id": "receipt", "stepType": "WaitForReceipt", "inputs": {"umid": "m-1", "states": "read", "timeout": "01:00:00"}},
        {"id": "keys", "stepType": "WaitForDTMF", "inputs": {"dtmfRequestId": "c-1", "timeout": "01:00:00"}},
    ]);
    let run = engine.run(waits, json!({})).await;
    let reasons = reasons(&engine, &run).await;
    let of = |name: &str| {
        reasons
            .iter()
            .find(|reason| reason["reason"] == name)
            .unwrap_or_else(|| panic!("{name}: {reasons:?}"))
    };
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    let reply = of("reply");
    assert_eq!((&reply["channel"], &reply["from"]), (&json!("sms"), &json!("6590001111")));
    assert_eq!((&of("receipt")["id"], &of("receipt")["states"]), (&json!("m-1"), &json!(["read"])));
    assert_eq!(of("keys")["id"], "c-1");
    for reason in &reasons {
        assert!(reason["until"].is_string(), "{reason}");
        assert!(reason["message"].as_str().unwrap().ends_with(" UTC."), "{reason}");
    }

    let request = engine.app.account_request(Method::PATCH, &run.path).json(&json!({"status": "suspend"}));
    Answer::of(request.header("Trunkline-Reason", "the provider is down")).await.expect_empty(200);
    engine.pass_time(4000.0).await;
    let held = reasons_of(&engine, &run, "suspended").await;
    assert!(!held.is_empty());
    assert_eq!((&held[0]["by"]["name"], &held[0]["why"]), (&json!("tests"), &json!("the provider is down")));
    engine.finish().await;
}

async fn reasons_of(engine: &Engine, run: &Run<'_>, name: &str) -> Vec<Value> {
    let reasons = reasons(engine, run).await;
    reasons.into_iter().filter(|reason| reason["reason"] == name).collect()
}

#[tokio::test]
async fn a_step_that_is_tried_again_says_why_and_when() {
    let engine = Engine::start().await;
    engine.endpoint.script("/down", &[(503, json!({"no": "way"}))]);
    let url = format!("{}/down", engine.endpoint.url);
    let steps = json!([{"id": "ask", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"},
        "retry": {"maxAttempts": 3, "initialInterval": "00:10:00"}}]);
    let definition = engine.app.define(sample::definition(steps)).await;
    let instance = engine.app.start_instance(&definition, json!({})).await;
    let retry = async || explain(&engine.app, &instance).await["steps"][0]["blockedOn"].clone();
    until("the first try is over", async || retry().await["reason"] == "retry").await;
    let retry = retry().await;
    assert_eq!((&retry["attempt"], &retry["of"]), (&json!(2), &json!(3)));
    assert!(retry["error"].as_str().unwrap().contains("503"), "{retry}");
    engine.finish().await;
}

#[tokio::test]
async fn a_finished_step_shows_its_result_and_its_messages() {
    const UMID: &str = "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21";
    let engine = Engine::start().await;
    engine.connect_endpoint(VoiceApi::Callflows).await;
    let answer = json!({"umid": UMID, "destination": "6590001111", "encoding": "GSM7",
        "status": {"code": "QUEUED", "description": "ok"}});
    engine.endpoint.script("/api/v1/subaccounts/acme_sms/messages", &[(200, answer)]);
    let run = engine.run(json!([sample::sms("send")]), json!({})).await;
    engine.app.webhook(sample::receipt(UMID, "delivered")).await.expect_empty(200);
    let explanation = explain(&engine.app, &run.path).await;
    let step = &explanation["steps"][0];
    assert_eq!((&step["stepType"], &step["attempts"]), (&json!("SMS"), &json!(1)));
    assert_eq!(step["result"]["umid"], UMID);
    assert_eq!(
        (&step["messages"][0]["id"], &step["messages"][0]["state"]),
        (&json!(UMID), &json!("delivered"))
    );
    assert_eq!(step["blockedOn"], json!(null));
    engine.finish().await;
}

#[tokio::test]
async fn an_instance_of_another_account_is_none() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let instance = app.start_instance(&definition, json!({})).await;
    let id = instance.rsplit('/').next().unwrap();
    let (_, key) = app.other_account("other").await;
    let path = format!("/api/v1/accounts/other/instances/{id}");
    let missing = Answer::of(app.request(Method::GET, &path).bearer_auth(&key)).await;
    missing.expect_error(404, 1300);
    app.get("/instances/0123456789abcdef01234567").await.expect_error(404, 1300);
    app.get("/instances/nonsense").await.expect_error(400, 1000);
}
