//! Requests from the document: from its examples, and made of its schemas, so that each value of an enum, each
//! bound and each documented input of a step is sent once.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::official::{Official, Operation, schema};
use crate::support::{Answer, Engine, definition};

#[derive(Debug, Clone, Default)]
pub struct Request {
    pub query: Option<(String, String)>,
    pub body: Option<Value>,
}

impl Request {
    pub async fn send(
        &self,
        engine: &Engine,
        operation: &Operation,
        definition: &str,
        instance: &str,
    ) -> Answer {
        let mut path = operation
            .path
            .replace("{accountId}", "acme")
            .replace("{definitionId}", definition)
            .replace("{workflowId}", instance);
        if let Some((name, value)) = &self.query {
            path = format!("{path}?{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        let mut request = engine.app.request(operation.method.clone(), &path).bearer_auth(engine.app.key());
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        Answer::of(request).await
    }
}

/// The first one is the plainest: an example's body, no query.
pub fn of(official: &Official, operation: &Operation) -> Vec<Request> {
    let plain = Request { query: None, body: bodies(official, operation).into_iter().next() };
    let others = bodies(official, operation).into_iter().skip(1);
    let others = others.map(|body| Request { query: None, body: Some(body) });
    let in_query = operation.parameters.iter().filter(|parameter| parameter["in"] == "query");
    let queries = in_query.flat_map(|parameter| {
        let name = parameter["name"].as_str().unwrap();
        values(&parameter["schema"]).into_iter().map(|value| (name.to_owned(), value))
    });
    let queries = queries.map(|query| Request { query: Some(query), body: plain.body.clone() });
    [plain.clone()].into_iter().chain(others).chain(queries).collect()
}

fn bodies(official: &Official, operation: &Operation) -> Vec<Value> {
    let Some(described) = &operation.request_body else { return Vec::new() };
    let mut bodies = official.examples(described);
    match operation.id.as_str() {
        "create-definition" | "update-existing-definition" => {
            bodies.extend(official.definition_examples());
            bodies.extend(full_definitions(official));
        }
        "patch-workflow-instance" => {
            let commands = &schema(described).unwrap()["properties"]["status"]["enum"];
            bodies.extend(commands.as_array().unwrap().iter().map(|command| json!({"status": command})));
        }
        _ => {}
    }
    bodies
}

/// Each trigger and status once, with a step of each type that has all documented members.
fn full_definitions(official: &Official) -> Vec<Value> {
    let schema = official.component("definitionInput");
    let types =
        schema["properties"]["definition"]["properties"]["steps"]["items"]["anyOf"].as_array().unwrap();
    let steps = types.iter().enumerate().map(|(position, schema)| {
        let mut step = sample(official, schema, "");
        step["id"] = format!("step {position}").into();
        step
    });
    let steps: Vec<Value> = steps.collect();
    let choices = |name: &str| official.component(name)["enum"].as_array().unwrap().clone();
    let mut bodies = Vec::new();
    for trigger in choices("trigger") {
        for status in choices("status") {
            let mut body = definition(json!(steps));
            (body["trigger"], body["status"], body["subAccountId"]) =
                (trigger.clone(), status, "contract".into());
            bodies.push(body);
        }
    }
    bodies
}

/// A value of a schema.
fn sample(official: &Official, schema: &Value, name: &str) -> Value {
    let schema = official.resolve(schema);
    let choices = schema["enum"].as_array().and_then(|choices| choices.first());
    if let Some(value) = choices.or(schema.get("example")) {
        return value.clone();
    }
    match (schema["type"].as_str().unwrap(), name) {
        ("string", "duration" | "timeout") => "1.6:30:15".into(),
        ("string", _) => "text".into(),
        ("integer", _) => 1.into(),
        ("object", "selectNextStep") => json!({"step 0": null}),
        ("object", _) => {
            let parents =
                schema["allOf"].as_array().into_iter().flatten().map(|parent| official.resolve(parent));
            let properties =
                parents.chain([schema]).filter_map(|schema| schema["properties"].as_object()).flatten();
            properties
                .map(|(name, schema)| (name.clone(), sample(official, schema, name)))
                .collect::<Map<_, _>>()
                .into()
        }
        other => panic!("nothing is known of {other:?}"),
    }
}

/// What a parameter of this schema may be.
fn values(schema: &Value) -> Vec<String> {
    let choices = schema["enum"].as_array().into_iter().flatten();
    let single = ["example", "default", "minimum", "maximum"].iter().filter_map(|name| schema.get(name));
    let mut values: Vec<String> = choices.chain(single).map(text).collect();
    if schema["type"] == "boolean" {
        values.extend(["true".to_owned(), "false".to_owned()]);
    }
    values.dedup();
    values
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What was saved is what was sent, but for the members that the server gives.
pub fn check_echo(operation: &Operation, request: &Request, answer: &Answer) {
    if !["create-definition", "update-existing-definition"].contains(&operation.id.as_str()) {
        return;
    }
    let (sent, saved) = (request.body.as_ref().unwrap(), answer.json());
    for place in ["/trigger", "/status", "/definition/name", "/definition/steps"] {
        assert_eq!(saved.pointer(place), sent.pointer(place), "{}: {place}", operation.id);
    }
}

/// A definition, and an instance of it in each state that answers differ in.
pub struct World {
    pub definition: String,
    pub runnable: String,
    complete: String,
    faulted: String,
}

impl World {
    pub async fn make(engine: &Engine, official: &Official) -> Self {
        let steps = json!([
            {"id": "choose", "stepType": "Branch", "selectNextStep": {
                "sleep": "{{data.how == 'sleep'}}", "break": "{{data.how == 'break'}}"}},
            {"id": "sleep", "stepType": "Wait", "inputs": {"duration": "1"}},
            {"id": "break", "stepType": "Wait", "inputs": {"duration": "{{data.how}}"}}
        ]);
        let mut body = definition(steps);
        body["subAccountId"] = "contract".into();
        let definition = engine.app.define(body).await;
        let start = async |how: &str| {
            // What the example of an instance was started with.
            let mut data = official.example("workflowInstance")["data"].clone();
            data["how"] = how.into();
            let path = engine.app.start_instance(&definition, data).await;
            path.rsplit('/').next().unwrap().to_owned()
        };
        let (complete, faulted, runnable) = (start("end").await, start("break").await, start("sleep").await);
        engine.run_until_idle().await;
        Self { definition, runnable, complete, faulted }
    }

    /// The instances that a request is made for.
    pub fn instances_for(&self, operation: &Operation) -> Vec<&str> {
        if operation.id == "patch-workflow-instance" || !operation.path.contains("{workflowId}") {
            return vec![&self.runnable];
        }
        vec![&self.complete, &self.faulted, &self.runnable]
    }

    /// Only what is suspended can be resumed.
    pub async fn prepare(&self, engine: &Engine, instance: &str, request: &Request) {
        if request.body == Some(json!({"status": "resume"})) {
            let path = format!("/definitions/{}/workflows/{instance}", self.definition);
            engine.app.patch(&path, json!({"status": "suspend"})).await.expect_empty(200);
        }
    }
}
