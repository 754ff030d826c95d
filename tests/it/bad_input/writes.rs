//! The operations that take a body, as our own OpenAPI document has them: a new one is tried, too.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::bodies;
use crate::support::{Answer, TestApp, enabled, instance_id};

/// An operation with a body, its path filled in, and a body that is good.
pub struct Write {
    pub name: String,
    pub method: Method,
    pub path: String,
    pub good: Value,
    /// The definition that the path names, where it names one.
    pub definition: String,
}

impl Write {
    pub fn request(&self, app: &TestApp) -> RequestBuilder {
        match self.path.strip_prefix("/webhooks/v1/accounts/acme/") {
            Some(webhook) => app.webhook_request(webhook),
            None => app.request(self.method.clone(), &self.path).bearer_auth(app.key()),
        }
    }

    pub async fn send(&self, app: &TestApp, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(app).header(CONTENT_TYPE, "application/json").body(body)).await
    }

    /// The message with which a body is refused. Checking a definition succeeds, and says that it cannot be saved.
    #[track_caller]
    pub fn expect_refusal(&self, answer: &Answer, code: i64) -> String {
        if self.name != "validate-definition" {
            return answer.expect_error(400, code);
        }
        let checked = answer.expect(200);
        assert_eq!(checked["valid"], false, "{answer:?}");
        checked["problems"][0]["message"].as_str().unwrap().to_owned()
    }

    pub fn starts_instances(&self) -> bool {
        ["start-workflow-instance", "http_request_trigger"].contains(&self.name.as_str())
    }

    pub fn is_webhook(&self) -> bool {
        self.path.starts_with("/webhooks/")
    }
}

/// A server with a definition, an instance of it, and every operation that takes a body.
pub async fn start() -> (TestApp, Vec<Write>) {
    let app = TestApp::start().await;
    let definition = app.define(enabled("http_request", None)).await;
    let instance = app.start_instance(&definition, json!({})).await;
    let instance = instance.rsplit('/').next().unwrap();
    let failed = failed_instance(&app, &definition).await;
    let batch = app.post("/batches", json!({"action": "rerun", "instances": [failed]})).await.expect(201);
    let batch = batch["batchId"].as_str().unwrap();
    let document = Answer::of(app.request(Method::GET, "/openapi.json")).await.expect(200);
    let mut writes = Vec::new();
    // The other API has other callers and other answers.
    let ours = |path: &String| path.starts_with("/api/") || path.starts_with("/webhooks/");
    for (path, item) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| ours(path)) {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("requestBody").is_none() {
                continue;
            }
            let name = operation["operationId"].as_str().unwrap().to_owned();
            let path = path.replace("{accountId}", "acme").replace("{definitionId}", &definition);
            writes.push(Write {
                good: bodies::good(&name),
                name,
                method: method.to_uppercase().parse().unwrap(),
                path: path
                    .replace("{workflowId}", instance)
                    .replace("{instanceId}", &failed)
                    .replace("{batchId}", batch),
                definition: definition.clone(),
            });
        }
    }
    assert!(writes.len() >= 6);
    (app, writes)
}

/// An instance that can be run again from its failed step; its id.
async fn failed_instance(app: &TestApp, definition: &str) -> String {
    let path = app.start_instance(definition, json!({})).await;
    app.complete(&path).await;
    let id = instance_id(&path);
    for statement in [
        "insert into steps (instance_id, n, name, status, attempt, error) values ($1, 1, 'end', 'Failed', 1, 'no')",
        "update instances set status = 'Terminated' where id = $1",
    ] {
        sqlx::query(statement).bind(id.as_bytes().as_slice()).execute(app.store().pool()).await.unwrap();
    }
    id.to_string()
}

/// Every operation takes its good body.
pub async fn expect_served(app: &TestApp, writes: &[Write]) {
    for write in writes {
        let answer = write.send(app, write.good.to_string()).await;
        assert!(answer.status.is_success(), "{} {answer:?}", write.name);
    }
    assert!(app.store().verify().await.unwrap().is_empty());
}
