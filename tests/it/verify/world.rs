//! Instances in every state that the rules tell apart, each with a name.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trunkline_store::waits::DueMark;
use trunkline_workers::Settings;

use crate::operations::batches::{batch, carried_out, gated};
use crate::support::{Engine, definition, instance_id, until};

/// A step that does nothing.
fn note(id: &str, next: Option<&str>) -> Value {
    json!({"id": id, "stepType": "If", "nextStepId": next})
}

fn pause(id: &str) -> Value {
    json!({"id": id, "stepType": "Wait", "inputs": {"duration": "01:00:00"}})
}

/// Nobody runs them: what is ready stays ready.
pub async fn engine_with_instances_of_every_kind() -> Engine {
    let mut engine = Engine::start().await;
    let app = &engine.app;
    let define = async |steps: Value| app.define(definition(steps)).await;
    let fork =
        json!({"id": "fork", "stepType": "Branch", "selectNextStep": {"a": "{{true}}", "b": "{{true}}"}});
    let forking = define(json!([fork, pause("a"), pause("b")])).await;
    let sleeping = define(json!([note("begin", Some("pause")), pause("pause")])).await;
    let quick = define(json!([note("begin", Some("end")), note("end", None)])).await;
    let body =
        json!({"id": "if", "stepType": "If", "inputs": {"condition": "{{true}}"}, "do": [[pause("inner")]]});
    let with_body = define(json!([body])).await;
    let failing = app.define(gated()).await;

    app.other_account("other").await;
    let mut paths = BTreeMap::new();
    for (name, definition) in [
        ("forked", &forking),
        ("released", &forking),
        ("half released", &forking),
        ("alone", &sleeping),
        ("suspended", &sleeping),
        ("in a body", &with_body),
        ("complete", &quick),
        ("failed", &failing),
    ] {
        paths.insert(name, app.start_instance(definition, json!({})).await);
    }
    engine.run_until_idle().await;
    let id = |name: &str| instance_id(&paths[name]).to_string();
    let rerun = json!({"from": {"step": "end"}});
    app.post(&format!("/instances/{}/rerun", id("complete")), rerun.clone()).await.expect(201);
    let missing = "0123456789abcdef01234567";
    let rerun = json!({"action": "rerun", "instances": [id("failed"), missing], "rerun": rerun});
    carried_out(app, &batch(app, rerun).await).await;
    engine.run_until_idle().await;
    engine.stop_worker().await;
    engine.app.post(&format!("/definitions/{quick}/pause"), json!({})).await.expect(200);
    engine.start_worker(Settings::default());
    paths.insert("paused", engine.app.start_instance(&quick, json!({})).await);
    until("it waits for leave", || async {
        sqlx::query_scalar("select exists (select from leaves where queue is not null)")
            .fetch_one(engine.app.store().pool())
            .await
            .unwrap()
    })
    .await;
    engine.stop_worker().await;
    name(&engine, &paths).await;
    let due = "update waits set due_at = now()
         where instance_id in (instance('released'), instance('alone'), instance('suspended'))
             or instance_id = instance('half released') and n = 2";
    sqlx::raw_sql(due).execute(engine.app.store().pool()).await.unwrap();
    engine.app.store().release_due(&mut DueMark::default()).await.unwrap();
    let suspended = &paths["suspended"];
    engine.app.patch(suspended, json!({"status": "suspend"})).await.expect_empty(200);
    engine
}

/// Statements may say `instance('failed')` from now on.
async fn name(engine: &Engine, named: &BTreeMap<&str, String>) {
    let pool = engine.app.store().pool();
    sqlx::raw_sql(
        "create table named (name text primary key, id bytea not null);
         create function instance(wanted text) returns bytea language sql
             as 'select id from named where name = wanted'",
    )
    .execute(pool)
    .await
    .unwrap();
    for (name, path) in named {
        let insert = sqlx::query("insert into named values ($1, $2)").bind(name);
        insert.bind(instance_id(path).as_bytes().as_slice()).execute(pool).await.unwrap();
    }
    sqlx::raw_sql(
        "insert into named
         select 'nobody', set_byte(id, 11, 255 - get_byte(id, 11)) from named where name = 'complete'",
    )
    .execute(pool)
    .await
    .unwrap();
}
