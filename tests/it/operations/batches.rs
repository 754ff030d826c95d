//! Something is done to many instances.

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_connectors::clock;
use trunkline_store::audit::By;
use trunkline_store::usage::QuotaChange;
use uuid::Uuid;

use crate::deaths::processes::WorkerProcess;
use crate::support::{Answer, Engine, TestApp, instance_id, sample, until};

pub async fn batch(app: &TestApp, body: Value) -> Value {
    let answer = app.post("/batches", body).await;
    let batch = answer.expect(201);
    let path = format!("/api/v1/accounts/{}/batches/{}", app.account(), batch["batchId"].as_str().unwrap());
    assert_eq!(answer.header("location"), Some(path.as_str()));
    batch
}

pub async fn show(app: &TestApp, batch: &Value) -> Value {
    app.get(&format!("/batches/{}", batch["batchId"].as_str().unwrap())).await.expect(200)
}

/// The batch once every item is decided.
pub async fn carried_out(app: &TestApp, batch: &Value) -> Value {
    until("the batch is done", || async { show(app, batch).await["state"] == "done" }).await;
    show(app, batch).await
}

async fn items(app: &TestApp, batch: &Value, query: &str) -> Vec<Value> {
    let path = format!("/batches/{}/items{query}", batch["batchId"].as_str().unwrap());
    app.get(&path).await.expect(200)["items"].as_array().unwrap().clone()
}

async fn command(app: &TestApp, batch: &Value, command: &str) -> Answer {
    let path = format!("/batches/{}", batch["batchId"].as_str().unwrap());
    app.patch(&path, json!({ "command": command })).await
}

pub fn counts(batch: &Value) -> [i64; 4] {
    ["pending", "done", "skipped", "failed"].map(|state| batch["progress"][state].as_i64().unwrap())
}

async fn number(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(app.store().pool()).await.unwrap()
}

/// They are all of the account's, and what was started of them ends well.
pub async fn each_was_run_again_once(app: &TestApp, count: i64) {
    for query in [
        "select count(*) from reruns",
        "select count(distinct origin) from reruns",
        "select count(distinct rerun) from batch_items where state = 'done'",
        "select count(*) from audit where action = 'instance.rerun'",
        "select count(distinct object) from audit where action = 'instance.rerun'",
        "select sum(started)::bigint from usage_counts",
    ] {
        assert_eq!(number(app, query).await, count, "{query}");
    }
    until("all of them complete", || async {
        number(app, "select count(*) from instances where status = 'Complete'").await == count
    })
    .await;
    let violations = app.store().verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Fails without a `gate` in the context.
pub fn gated() -> Value {
    sample::definition(json!([
        {"id": "gate", "stepType": "If", "nextStepId": "end",
            "outputs": {"passed": "{{data.gate == 'open' || noSuchFunction()}}"}},
        {"id": "end", "stepType": "If"},
    ]))
}

fn sleeper() -> Value {
    sample::definition(json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}, "nextStepId": "end"},
        {"id": "end", "stepType": "If"},
    ]))
}

/// Instances of version 1 that failed at the step `end`.
pub async fn failed_instances(app: &TestApp, definition: &str, count: i32) {
    sqlx::query(
        "with made as (
             select decode(lpad(to_hex(extract(epoch from now())::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex') as id
             from generate_series(1, $2) as n
         ), ended as (
             insert into instances (id, account_id, definition_id, version, status, data, completed_at)
             select id, 'acme', $1, 1, 'Terminated', '{}', now() from made
         ), noted as (
             insert into failures (instance_id, account_id, definition_id, version, step, message, fingerprint)
             select id, 'acme', $1, 1, 'end', 'boom', 7 from made
         )
         insert into steps (instance_id, n, name, status, attempt, started_at, error)
         select id, 1, 'end', 'Failed', 1, now(), 'boom' from made",
    )
    .bind(Uuid::parse_str(definition).unwrap())
    .bind(count)
    .execute(app.store().pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn a_dry_run_counts_and_a_batch_runs_again_what_matches() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    let mut origins = Vec::new();
    for n in 0..3 {
        origins.push(engine.run_definition(&definition, json!({"n": n})).await.path);
    }
    engine.run_definition(&definition, json!({"gate": "open"})).await;
    app.put(&format!("/definitions/{definition}"), gated()).await.expect(200);
    engine.run_definition(&definition, json!({})).await;

    let body = |filter: Value, rest: Value| {
        let mut body = json!({"action": "rerun", "filter": {"definitionId": definition}});
        body["filter"].as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        body
    };
    let all = app.post("/batches", body(json!({}), json!({"dryRun": true}))).await.expect(200);
    assert_eq!((&all["total"], &all["hasMore"]), (&json!(5), &json!(false)));
    let versions: Vec<_> =
        all["byVersion"].as_array().unwrap().iter().map(|v| (&v["version"], &v["count"])).collect();
    assert_eq!(versions, [(&json!(1), &json!(4)), (&json!(2), &json!(1))]);
    assert_eq!(all["byVersion"][0]["definitionId"], definition);
    let statuses = json!([{"status": "Terminated", "count": 4}, {"status": "Complete", "count": 1}]);
    assert_eq!(all["byStatus"], statuses);
    assert_eq!(all["byStep"], json!([{"step": "gate", "count": 4}]));
    assert_eq!(all["byError"][0]["count"], 4);
    let error = all["byError"][0]["error"].as_str().unwrap();
    let now = clock::now().to_rfc3339();
    for (filter, total) in [
        (json!({"version": 1}), 4),
        (json!({"version": 3}), 0),
        (json!({"status": "complete"}), 1),
        (json!({"step": "gate"}), 4),
        (json!({"step": "end"}), 0),
        (json!({"error": &error[3..]}), 4),
        (json!({"fingerprint": all["byError"][0]["fingerprint"], "version": 2}), 1),
        (json!({"fingerprint": "0123456789abcdef"}), 0),
        (json!({"context": {"n": 1}}), 1),
        (json!({"context": {"n": 1, "accountId": "acme"}, "step": "gate"}), 1),
        (json!({"phone": "+65 9000 1111"}), 0),
        (json!({"subAccountId": "acme_sms"}), 0),
        (json!({"error": "%"}), 0),
        (json!({"startedFrom": now}), 0),
        (json!({"startedBefore": now, "version": 2}), 1),
    ] {
        let dry = app.post("/batches", body(filter.clone(), json!({"dryRun": true}))).await.expect(200);
        assert_eq!(dry["total"], total, "{filter}");
    }
    assert_eq!(number(app, "select count(*) from batches").await, 0);
    // Of all definitions, as the search finds them.
    let other = app.define(gated()).await;
    engine.run_definition(&other, json!({})).await;
    let fingerprint = &all["byError"][0]["fingerprint"];
    let dry = json!({"action": "rerun", "filter": {"fingerprint": fingerprint}, "dryRun": true});
    let dry = app.post("/batches", dry).await.expect(200);
    assert_eq!((&dry["total"], dry["byVersion"].as_array().unwrap().len()), (&json!(5), 3));

    let asked = json!({"rerun": {"context": {"gate": "open"}}, "reason": "outage of Friday"});
    let made = batch(app, body(json!({"version": 1}), asked)).await;
    assert_eq!((&made["state"], &made["filter"]["version"]), (&json!("running"), &json!(1)));
    assert_eq!((&made["by"]["name"], &made["reason"]), (&json!("tests"), &json!("outage of Friday")));
    // Nobody needs to see the values.
    let outline = json!({"from": "failed", "version": "same", "context": ["gate"]});
    assert_eq!(made["rerun"], outline);
    let done = carried_out(app, &made).await;
    assert_eq!((counts(&done), &done["progress"]["total"]), ([0, 3, 0, 1], &json!(4)));
    assert!(done["endedAt"].is_string() && done["progress"]["timeLeft"].is_null(), "{done}");
    engine.run_until_idle().await;

    let failed = items(app, &made, "?state=failed").await;
    let reason = "It cannot be run again: none of its steps failed: choose `start` or a step.";
    assert_eq!((failed.len(), &failed[0]["reason"]), (1, &json!(reason)));
    let rerun = items(app, &made, "?state=done&limit=2").await;
    let after = items(app, &made, &format!("?after={}", rerun[1]["n"])).await;
    assert!(after.iter().all(|item| item["n"].as_i64() > rerun[1]["n"].as_i64()), "{after:?}");
    assert_eq!(rerun[0]["instanceId"], instance_id(&origins[0]).to_string());
    let shown = app.get(&format!("/instances/{}", rerun[0]["rerun"].as_str().unwrap())).await.expect(200);
    assert_eq!((&shown["status"], &shown["data"]["n"]), (&json!("Complete"), &json!(0)));
    assert_eq!(shown["origin"]["instanceId"], rerun[0]["instanceId"]);
    let lines = app.get("/audit?action=instance.rerun").await.expect(200);
    assert_eq!(lines.as_array().unwrap().len(), 3);
    assert_eq!((&lines[0]["reason"], &lines[0]["actor"]["name"]), (&made["reason"], &json!("tests")));
    assert_eq!(lines[0]["detail"]["batch"], made["batchId"]);
    let lines = app.get("/audit?action=batch.create").await.expect(200);
    assert_eq!((&lines[0]["object"], &lines[0]["detail"]["total"]), (&made["batchId"], &json!(4)));
    assert_eq!(lines[0]["detail"]["rerun"], outline);
    let list = app.get("/batches").await.expect(200);
    assert_eq!((list.as_array().unwrap().len(), counts(&list[0])), (1, [0, 3, 0, 1]));
    engine.finish().await;
}

#[tokio::test]
async fn commands_reach_every_instance_whose_status_allows_them() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(sleeper()).await;
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(instance_id(&app.start_instance(&definition, json!({})).await).to_string());
    }
    engine.run_until_idle().await;
    let at_step = |action: &str, step: &str| json!({"action": action, "filter": {"definitionId": definition, "step": step}, "rate": 1000});
    let mut dry = at_step("suspend", "pause");
    dry["dryRun"] = json!(true);
    assert_eq!(app.post("/batches", dry).await.expect(200)["total"], 30);
    let nobody = app.post("/batches", at_step("suspend", "end")).await.expect_error(400, 1000);
    assert_eq!(nobody, "Invalid request body. It matches no instance.");

    let suspended = batch(app, at_step("suspend", "pause")).await;
    assert_eq!(counts(&carried_out(app, &suspended).await), [0, 30, 0, 0]);
    assert_eq!(number(app, "select count(*) from instances where status = 'Suspended'").await, 30);
    let again = batch(app, at_step("suspend", "pause")).await;
    assert_eq!(counts(&carried_out(app, &again).await), [0, 0, 30, 0]);
    let skipped = items(app, &again, "?limit=1").await;
    assert_eq!(skipped[0]["reason"], "It is Suspended and cannot be suspended.");
    let shown = app.get(&format!("/instances/{}", ids[0])).await.expect(200);
    assert_eq!(shown["status"], "Suspended");

    // By their ids; each counts once, and what is not there is skipped.
    let (_, key) = app.other_account("other").await;
    let path = "/api/v1/accounts/other/batches";
    let foreign = json!({"action": "resume", "instances": &ids[..2]});
    let foreign =
        Answer::of(app.request(Method::POST, path).bearer_auth(&key).json(&foreign)).await.expect(201);
    let given: Vec<&str> =
        ids[..10].iter().chain(&ids[..10]).map(String::as_str).chain(["0123456789abcdef01234567"]).collect();
    let resumed = batch(app, json!({"action": "resume", "instances": given})).await;
    let resumed = carried_out(app, &resumed).await;
    assert_eq!((counts(&resumed), &resumed["filter"]), ([0, 10, 1, 0], &json!(null)));
    let missing = items(app, &resumed, "?state=skipped").await;
    assert_eq!(missing[0]["reason"], "There is no such instance.");
    assert_eq!(number(app, "select count(*) from instances where status = 'Runnable'").await, 10);
    let path = format!("{path}/{}", foreign["batchId"].as_str().unwrap());
    let of_other = || Answer::of(app.request(Method::GET, &path).bearer_auth(&key));
    until("the other account's batch is done", || async { of_other().await.expect(200)["state"] == "done" })
        .await;
    assert_eq!(counts(&of_other().await.json()), [0, 0, 2, 0]);

    let of_definition = |action: &str| json!({"action": action, "filter": {"definitionId": definition}});
    let ended = batch(app, of_definition("terminate")).await;
    assert_eq!(counts(&carried_out(app, &ended).await), [0, 30, 0, 0]);
    let lines = app.get("/audit?action=instance.terminate&limit=500").await.expect(200);
    assert_eq!(lines.as_array().unwrap().len(), 30);
    assert_eq!(lines[0]["detail"], json!({"batch": ended["batchId"]}));
    let running = app.start_instance(&definition, json!({})).await;
    let mut rerun = of_definition("rerun");
    rerun["rerun"] = json!({"from": {"step": "end"}});
    let rerun = batch(app, rerun).await;
    assert_eq!(counts(&carried_out(app, &rerun).await), [0, 30, 1, 0]);
    let skipped = items(app, &rerun, "?state=skipped").await;
    assert_eq!(skipped[0]["instanceId"], instance_id(&running).to_string());
    assert!(skipped[0]["reason"].as_str().unwrap().contains("Runnable"), "{skipped:?}");
    engine.run_until_idle().await;

    let quota = QuotaChange { allowed: Some(Some(1)), overage: Some(false), overage_price: None };
    assert!(app.store().change_quota(app.account(), quota, &By::trunkline()).await.unwrap());
    let mut rerun = of_definition("rerun");
    rerun["rerun"] = json!({"from": {"step": "end"}});
    rerun["filter"]["status"] = json!("Terminated");
    rerun["again"] = json!(true);
    let refused = batch(app, rerun).await;
    assert_eq!(counts(&carried_out(app, &refused).await), [0, 0, 0, 30]);
    engine.finish().await;
}

#[tokio::test]
async fn a_batch_is_paused_resumed_and_aborted_at_once() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    failed_instances(app, &definition, 400).await;
    let filter = json!({"definitionId": definition});
    let rerun = json!({"from": {"step": "end"}});
    let body = json!({"action": "rerun", "filter": filter, "rerun": rerun, "rate": 50});
    let made = batch(app, body).await;
    let done = async || counts(&show(app, &made).await)[1];
    until("it is under way", || async { done().await > 0 }).await;
    command(app, &made, "pause").await.expect_empty(200);
    let paused = done().await;
    // As long as it took to get here.
    for _ in 0..200 {
        assert_eq!(done().await, paused);
    }
    assert_eq!(show(app, &made).await["progress"]["timeLeft"], json!(null));
    let refused = command(app, &made, "pause").await.expect_error(400, 1000);
    assert!(refused.ends_with("cannot be paused because it is paused."), "{refused}");
    command(app, &made, "resume").await.expect_empty(200);
    until("it goes on", || async { done().await > paused }).await;
    let running = show(app, &made).await;
    assert!(running["progress"]["timeLeft"].as_i64().unwrap() > 0, "{running}");
    assert!(running["progress"]["rate"].as_f64().unwrap() > 0.0, "{running}");
    command(app, &made, "abort").await.expect_empty(200);
    let aborted = show(app, &made).await;
    let [pending, decided, ..] = counts(&aborted);
    assert_eq!((pending + decided, &aborted["state"]), (400, &json!("aborted")));
    assert!(pending > 0 && aborted["endedAt"].is_string(), "{aborted}");
    for _ in 0..50 {
        assert_eq!(counts(&show(app, &made).await), counts(&aborted));
    }
    assert_eq!(number(app, "select count(*) from reruns").await, decided);
    command(app, &made, "resume").await.expect_error(400, 1000);
    command(app, &made, "faster").await.expect_error(400, 1000);
    for action in ["batch.pause", "batch.resume", "batch.abort"] {
        let lines = app.get(&format!("/audit?action={action}")).await.expect(200);
        assert_eq!(lines[0]["object"], made["batchId"]);
    }
    engine.run_until_idle().await;
    engine.finish().await;
}

#[tokio::test]
async fn a_batch_goes_no_faster_than_its_rate() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    failed_instances(app, &definition, 40).await;
    let filter = json!({"definitionId": definition});
    let rerun = json!({"from": {"step": "end"}});
    let body = json!({"action": "rerun", "filter": filter, "rerun": rerun, "rate": 20});
    let made = batch(app, body).await;
    carried_out(app, &made).await;
    // Two every tenth of a second: from the first to the last pair there are nineteen.
    let seconds: f64 = sqlx::query_scalar(
        "select extract(epoch from max(decided_at) - min(decided_at))::float8 from batch_items",
    )
    .fetch_one(app.store().pool())
    .await
    .unwrap();
    assert!(seconds > 1.5, "{seconds}");
    engine.run_until_idle().await;
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_decide_every_item_once() {
    const COUNT: i32 = 3000;
    let app = TestApp::start().await;
    let definition = app.define(gated()).await;
    failed_instances(&app, &definition, COUNT).await;
    let filter = json!({"definitionId": definition, "error": "boom"});
    let body = json!({"action": "rerun", "filter": filter, "rate": 1000, "concurrency": 8});
    let made = batch(&app, body).await;
    assert_eq!(counts(&made), [COUNT.into(), 0, 0, 0]);
    for dies_at in [COUNT / 10, COUNT / 2] {
        let mut worker = WorkerProcess::start(app.database_url());
        until("the batch is in the middle", || async {
            counts(&show(&app, &made).await)[1] > i64::from(dies_at)
        })
        .await;
        worker.kill();
        assert!(counts(&show(&app, &made).await)[0] > 0, "it was not in the middle");
    }
    let _last = WorkerProcess::start(app.database_url());
    let done = carried_out(&app, &made).await;
    assert_eq!(counts(&done), [0, COUNT.into(), 0, 0]);
    each_was_run_again_once(&app, COUNT.into()).await;
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let app = TestApp::start().await;
    let definition = app.define(gated()).await;
    app.start_instance(&definition, json!({})).await;
    let filter = json!({"definitionId": definition});
    for body in [
        json!({}),
        json!({"action": "rerun"}),
        json!({"action": "rerun", "filter": {}}),
        json!({"action": "rerun", "filter": null, "instances": null}),
        json!({"action": "rerun", "filter": {"status": "Terminated"}}),
        json!({"action": "rerun", "filter": filter, "instances": ["0123456789abcdef01234567"]}),
        json!({"action": "rerun", "instances": []}),
        json!({"action": "rerun", "instances": ["x"]}),
        json!({"action": "delete", "filter": filter}),
        json!({"action": "suspend", "filter": filter, "rerun": {}}),
        json!({"action": "rerun", "filter": filter, "rerun": {"from": "end"}}),
        json!({"action": "rerun", "filter": filter, "rerun": {"context": {"accountId": "other"}}}),
        json!({"action": "rerun", "filter": filter, "rerun": {"context": {"a": "x".repeat(65_536)}}}),
        json!({"action": "rerun", "filter": filter, "again": 1}),
        json!({"action": "suspend", "filter": filter, "again": true}),
        json!({"action": "rerun", "filter": filter, "atMost": 0}),
        json!({"action": "rerun", "filter": filter, "rate": 0}),
        json!({"action": "rerun", "filter": filter, "rate": 1001}),
        json!({"action": "rerun", "filter": filter, "concurrency": 17}),
        json!({"action": "rerun", "filter": filter, "dryRun": "yes"}),
        json!({"action": "rerun", "filter": filter, "reason": "x".repeat(501)}),
        json!({"action": "rerun", "filter": filter, "dryrun": true}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "state": "Terminated"}}),
        json!({"action": "rerun", "filter": {"definitionId": null}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "context": {"a": []}}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "context": []}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "fingerprint": "1"}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "step": ""}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "version": 0}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "startedFrom": "soon"}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "status": "gone"}}),
        json!({"action": "rerun", "filter": {"definitionId": definition, "version": 7}}),
    ] {
        let answer = app.post("/batches", body.clone()).await;
        assert_eq!(answer.status, 400, "{body} {answer:?}");
    }
    let unknown = json!({"action": "rerun", "filter": {"definitionId": Uuid::nil()}});
    app.post("/batches", unknown).await.expect_error(404, 1300);
    let path = format!("/batches/{}", Uuid::nil());
    app.get(&path).await.expect_error(404, 1300);
    app.get(&format!("{path}/items")).await.expect_error(404, 1300);
    app.patch(&path, json!({"command": "pause"})).await.expect_error(404, 1300);
    app.get("/batches/x").await.expect_error(400, 1000);
    app.get(&format!("{path}/items?state=gone")).await.expect_error(400, 1000);
    assert_eq!(number(&app, "select count(*) from batches").await, 0);

    failed_instances(&app, &definition, 100_001).await;
    let body = json!({"action": "rerun", "filter": {"definitionId": definition, "status": "terminated"}});
    let message = app.post("/batches", body).await.expect_error(400, 1000);
    assert!(message.contains("more than 100,000"), "{message}");
    assert_eq!(number(&app, "select count(*) from batches").await, 0);
    // Ids in their largest number are a long body.
    let ids: Vec<String> =
        sqlx::query_scalar("select encode(id, 'hex') from instances order by id limit 100000")
            .fetch_all(app.store().pool())
            .await
            .unwrap();
    let dry = json!({"action": "rerun", "instances": ids, "dryRun": true});
    assert_eq!(app.post("/batches", dry).await.expect(200)["total"], 100_000);
    let made = batch(&app, json!({"action": "rerun", "instances": ids})).await;
    assert_eq!(counts(&made), [100_000, 0, 0, 0]);
    let long = json!({"action": "rerun", "instances": vec!["0123456789abcdef01234567"; 160_000]});
    app.post("/batches", long).await.expect_error(413, 1000);
}

#[tokio::test]
async fn a_repeated_request_makes_one_batch() {
    let app = TestApp::start().await;
    let definition = app.define(gated()).await;
    failed_instances(&app, &definition, 3).await;
    let ask = async |body: Value| {
        let request =
            app.account_request(Method::POST, "/batches").header("Idempotency-Key", "k").json(&body);
        Answer::of(request).await
    };
    let filter = |status: &str| json!({"definitionId": definition, "status": status});
    let body = |status: &str| json!({"action": "rerun", "filter": filter(status)});
    // What makes none leaves the key free, and so does counting.
    ask(body("suspended")).await.expect_error(400, 1000);
    let mut dry = body("terminated");
    dry["dryRun"] = json!(true);
    assert_eq!(ask(dry).await.expect(200)["total"], 3);
    let answers = futures::future::join_all((0..6).map(|_| ask(body("terminated")))).await;
    for answer in &answers {
        assert_eq!(answer.expect(201)["batchId"], answers[0].json()["batchId"]);
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    assert_eq!(number(&app, "select count(*) from batches").await, 1);
    ask(body("complete")).await.expect_error(409, 1000);
    // It may have been counted again.
    let mut counted = body("terminated");
    counted["atMost"] = json!(7);
    assert_eq!(ask(counted).await.expect(201)["batchId"], answers[0].json()["batchId"]);
    let start = app.account_request(Method::POST, &format!("/definitions/{definition}/workflows"));
    Answer::of(start.header("Idempotency-Key", "k").json(&json!({}))).await.expect_error(409, 1000);
}

#[tokio::test]
async fn no_more_are_taken_than_were_counted_and_no_more_batches_are_made_than_may_be_under_way() {
    let app = TestApp::start().await;
    let definition = app.define(gated()).await;
    failed_instances(&app, &definition, 3).await;
    let body = json!({"action": "rerun", "filter": {"definitionId": definition}, "atMost": 2});
    let refused = app.post("/batches", body.clone()).await.expect_error(400, 1000);
    assert_eq!(refused, "Invalid request body. It matches 3 instances, more than `atMost`.");
    let mut enough = body;
    enough["atMost"] = json!(3);
    let first = batch(&app, enough.clone()).await;
    // Two at the same time are not one too many.
    let more = futures::future::join_all((0..12).map(|_| app.post("/batches", enough.clone()))).await;
    assert_eq!(more.iter().filter(|answer| answer.status == 201).count(), 9);
    let refused = app.post("/batches", enough.clone()).await.expect_error(400, 1000);
    assert!(refused.contains("10 batches of the account have not ended"), "{refused}");
    let (_, key) = app.other_account("other").await;
    let path = "/api/v1/accounts/other/batches";
    let foreign = json!({"action": "resume", "instances": ["0123456789abcdef01234567"]});
    Answer::of(app.request(Method::POST, path).bearer_auth(&key).json(&foreign)).await.expect(201);
    command(&app, &first, "pause").await.expect_empty(200);
    app.post("/batches", enough.clone()).await.expect_error(400, 1000);
    command(&app, &first, "abort").await.expect_empty(200);
    batch(&app, enough).await;
}

#[tokio::test]
async fn what_was_run_again_is_skipped_unless_it_is_asked_for() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    for _ in 0..2 {
        engine.run_definition(&definition, json!({})).await;
    }
    let mut body = json!({"action": "rerun", "filter": {"definitionId": definition}});
    let first = batch(app, body.clone()).await;
    assert_eq!(counts(&carried_out(app, &first).await), [0, 2, 0, 0]);
    engine.run_until_idle().await;
    // Both failed again: those are run again, and not what they ran again.
    let second = batch(app, body.clone()).await;
    assert_eq!(counts(&carried_out(app, &second).await), [0, 2, 2, 0]);
    let before = items(app, &first, "").await;
    let skipped = items(app, &second, "?state=skipped").await;
    for (origin, skipped) in before.iter().zip(&skipped) {
        let reason = format!("It was run again before, as {}.", origin["rerun"].as_str().unwrap());
        assert_eq!((&skipped["instanceId"], &skipped["reason"]), (&origin["instanceId"], &json!(reason)));
    }
    engine.run_until_idle().await;
    body["again"] = json!(true);
    let all = batch(app, body).await;
    assert_eq!((counts(&carried_out(app, &all).await), &all["again"]), ([0, 6, 0, 0], &json!(true)));
    engine.run_until_idle().await;
    engine.finish().await;
}

#[tokio::test]
async fn what_cannot_be_read_stops_nothing_but_itself() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let execute = async |statement: &'static str| {
        assert!(sqlx::query(statement).execute(app.store().pool()).await.unwrap().rows_affected() > 0);
    };
    let definition = app.define(gated()).await;
    app.put(&format!("/definitions/{definition}"), gated()).await.expect(200);
    failed_instances(app, &definition, 20).await;
    execute("update instances set version = 2 where id = (select id from instances order by id limit 1)")
        .await;
    execute("create table kept as select steps from definition_versions where version = 2").await;
    execute("update definition_versions set steps = 'v1.deadbeef.AAAA' where version = 2").await;
    let ids: Vec<String> = sqlx::query_scalar("select encode(id, 'hex') from instances order by id")
        .fetch_all(app.store().pool())
        .await
        .unwrap();
    let rerun = |ids: &[String]| json!({"action": "rerun", "instances": ids});
    let mut newer = rerun(&ids[1..]);
    newer["rate"] = json!(1);
    let newer = batch(app, newer).await;
    execute(r#"update batches set choice = '{"from": "tomorrow"}'"#).await;
    let made = batch(app, rerun(&ids)).await;
    assert_eq!(counts(&carried_out(app, &made).await)[3], 1);
    let failed = items(app, &made, "?state=failed").await;
    assert_eq!(failed[0]["instanceId"], ids[0]);
    assert_eq!(
        failed[0]["reason"],
        "Its steps are sealed with master key `deadbeef`, which is not configured."
    );

    let list = app.get("/batches").await.expect(200);
    assert_eq!(list[1]["rerun"], json!({"from": "tomorrow"}));
    assert_eq!(show(app, &newer).await["state"], "running");
    command(app, &newer, "abort").await.expect_empty(200);
    execute("update definition_versions set steps = (select steps from kept) where version = 2").await;
    engine.run_until_idle().await;
    engine.finish().await;
}

#[tokio::test]
async fn a_slow_batch_keeps_its_rate_beside_fast_ones() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    failed_instances(app, &definition, 2000).await;
    let filter = json!({"definitionId": definition});
    let mut fast = Vec::new();
    for _ in 0..9 {
        let body = json!({"action": "suspend", "filter": filter, "rate": 1000, "concurrency": 16});
        fast.push(batch(app, body).await);
    }
    let ids: Vec<String> = sqlx::query_scalar("select encode(id, 'hex') from instances order by id limit 20")
        .fetch_all(app.store().pool())
        .await
        .unwrap();
    let slow = batch(app, json!({"action": "suspend", "instances": ids, "rate": 10})).await;
    carried_out(app, &slow).await;
    for fast in &fast {
        assert!(counts(&show(app, fast).await)[0] > 0, "they were no load");
        command(app, fast, "abort").await.expect_empty(200);
    }
    // One every tenth of a second makes two seconds, and a machine with more to do may take a little longer.
    let seconds: f64 = sqlx::query_scalar(
        "select extract(epoch from max(decided_at) - min(decided_at))::float8 from batch_items where batch_id = $1",
    )
    .bind(slow["batchId"].as_str().unwrap().parse::<Uuid>().unwrap())
    .fetch_one(app.store().pool())
    .await
    .unwrap();
    assert!(seconds < 5.0, "{seconds}");
    engine.finish().await;
}

#[tokio::test]
async fn a_batch_that_waits_for_an_instance_keeps_nobody_else_waiting() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    failed_instances(app, &definition, 40).await;
    let ids: Vec<String> = sqlx::query_scalar("select encode(id, 'hex') from instances order by id")
        .fetch_all(app.store().pool())
        .await
        .unwrap();
    let mut holder = app.store().pool().begin().await.unwrap();
    sqlx::query("select from instances where id = decode($1, 'hex') for update")
        .bind(&ids[0])
        .execute(&mut *holder)
        .await
        .unwrap();
    let waits = batch(app, json!({"action": "terminate", "instances": &ids[..1], "rate": 1000})).await;
    until("it waits", || async {
        number(
            app,
            "select count(*)
             from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .await
            > 0
    })
    .await;
    let other = batch(app, json!({"action": "rerun", "instances": &ids[1..]})).await;
    assert_eq!(counts(&carried_out(app, &other).await), [0, 39, 0, 0]);
    assert_eq!(counts(&show(app, &waits).await), [1, 0, 0, 0]);
    command(app, &waits, "pause").await.expect_empty(200);
    command(app, &waits, "resume").await.expect_empty(200);
    holder.rollback().await.unwrap();
    assert_eq!(counts(&carried_out(app, &waits).await), [0, 0, 1, 0]);
    engine.run_until_idle().await;
    engine.finish().await;
}

#[tokio::test]
async fn what_was_decided_twice_or_miscounted_is_named() {
    const ONCE: &str =
        "an item of a batch was decided at most once: it has the re-run that it says, and no other";
    const COUNTED: &str = "a batch that has ended says what became of its items";
    const NOTHING_LEFT: &str = "a batch that is done has nothing left to be decided";
    let engine = Engine::start().await;
    let app = &engine.app;
    let definition = app.define(gated()).await;
    failed_instances(app, &definition, 2).await;
    let made = batch(app, json!({"action": "rerun", "filter": {"definitionId": definition}})).await;
    carried_out(app, &made).await;
    engine.run_until_idle().await;
    for (breaks, rules, mends) in [
        (
            "insert into reruns (instance_id, origin, account_id, choice, batch_id)
             select set_byte(instance_id, 11, get_byte(instance_id, 11) # 255), origin, account_id, choice, batch_id
             from reruns
             limit 1",
            &[ONCE][..],
            "delete from reruns r where not exists (select from instances i where i.id = r.instance_id)",
        ),
        (
            "update batch_items set state = 'skipped', reason = 'x' where n = 1",
            &[ONCE, COUNTED],
            "update batch_items set state = 'done', reason = null where n = 1",
        ),
        ("update batches set done = 1", &[COUNTED], "update batches set done = 2"),
        (
            "update batch_items set state = 'pending', decided_at = null, rerun = null where n = 1",
            &[ONCE, COUNTED, NOTHING_LEFT],
            "update batch_items i
             set state = 'done', decided_at = now(), rerun = r.instance_id
             from reruns r
             where r.origin = i.instance_id and i.n = 1",
        ),
    ] {
        let execute = async |statement: &'static str| {
            assert!(sqlx::query(statement).execute(app.store().pool()).await.unwrap().rows_affected() > 0);
        };
        execute(breaks).await;
        let broken = app.store().verify().await.unwrap();
        let broken: Vec<&str> = broken.iter().map(|violation| violation.rule).collect();
        assert_eq!(broken, rules, "{breaks}");
        execute(mends).await;
    }
    engine.finish().await;
}
