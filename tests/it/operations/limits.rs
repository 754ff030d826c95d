//! What an account may do at once.

mod concurrency;
mod definition_states;
mod leave;
mod let_through;
mod quiet_hours;
mod rates;
mod settings;

use serde_json::{Value, json};
use trunkline_workers::Settings;

use crate::support::{Engine, sample, until};

/// With a worker that knows these limits when it begins.
async fn limited(limits: Value) -> Engine {
    let mut engine = Engine::start_without_worker().await;
    engine.app.put("/limits", limits).await.expect(200);
    engine.start_worker(Settings::default());
    engine
}

/// A definition that sends one message to a number.
async fn sends(engine: &Engine) -> String {
    let step = json!({"id": "send", "stepType": "SMS", "inputs":
        {"subAccountId": "acme_sms", "destination": "{{data.to}}", "text": "Hello"}});
    engine.app.define(sample::definition(json!([step]))).await
}

/// What the only unfinished step of an instance waits for.
async fn blocked_on(engine: &Engine, instance: &str) -> Value {
    let id = instance.rsplit('/').next().unwrap();
    let explanation = engine.app.get(&format!("/instances/{id}")).await.expect(200);
    let steps = explanation["steps"].as_array().unwrap();
    steps.iter().map(|step| step["blockedOn"].clone()).find(|reason| !reason.is_null()).unwrap_or_default()
}

async fn until_blocked(engine: &Engine, instance: &str, reason: &str) -> Value {
    until(reason, async || blocked_on(engine, instance).await["reason"] == reason).await;
    blocked_on(engine, instance).await
}

async fn status(engine: &Engine, instance: &str) -> String {
    engine.app.get(instance).await.expect(200)["status"].as_str().unwrap().to_owned()
}

async fn until_complete(engine: &Engine, instances: &[String]) {
    for instance in instances {
        until("an instance is complete", async || status(engine, instance).await == "Complete").await;
    }
}
