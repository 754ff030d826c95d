//! The vendor's OpenAPI document against the running server: every operation, every parameter, every example
//! of a request, an answer or an error. What the server sends is checked against the document's schemas.
//!
//! The document is not ours, so it is no part of this repository: `OFFICIAL_OPENAPI` says where it lies.

mod exceptions;
mod official;
mod requests;
mod shape;

use std::collections::BTreeSet;
use std::io::Write;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Engine};
use exceptions::Findings;
use official::{Official, Operation, schema};
use requests::World;

#[tokio::test]
async fn c_051_the_official_document_is_kept_but_where_it_contradicts_itself() {
    let Some(official) = Official::read() else {
        // Not by `println!`, which nobody would see.
        let note = "skipped: OFFICIAL_OPENAPI does not say where the vendor's OpenAPI document lies";
        writeln!(std::io::stderr(), "{note}").unwrap();
        return;
    };
    let engine = Engine::start().await;
    let operations = official.operations();
    assert_eq!(operations.len(), 15);
    let mut findings = Findings::default();
    compare_documents(&engine, &operations).await;
    for operation in &operations {
        let mut compared = 0;
        for request in requests::of(&official, operation) {
            let world = World::make(&engine, &official).await;
            for instance in world.instances_for(operation) {
                world.prepare(&engine, instance, &request).await;
                let answer = request.send(&engine, operation, &world.definition, instance).await;
                official.check_request(operation, &request, &mut findings);
                compared += check_answer(&engine, &official, operation, &answer, &mut findings).await;
                requests::check_echo(operation, &request, &answer);
            }
        }
        let has_examples = !official.examples(operation.success().1).is_empty();
        assert_eq!(compared > 0, has_examples, "{}", operation.id);
        check_errors(&engine, &official, operation, &mut findings).await;
    }
    findings.settle();
    engine.finish().await;
}

/// Our own document promises what theirs does.
async fn compare_documents(engine: &Engine, operations: &[Operation]) {
    let ours = Answer::of(engine.app.request(Method::GET, "/openapi.json")).await.expect(200);
    for Operation { id, method, path, parameters, request_body, responses } in operations {
        let ours = &ours["paths"][path][method.as_str().to_ascii_lowercase()];
        assert_eq!(ours["operationId"], json!(id), "{method} {path}");
        for parameter in parameters {
            let is_same = |ours: &&Value| ours["name"] == parameter["name"] && ours["in"] == parameter["in"];
            let ours = ours["parameters"].as_array().unwrap().iter().find(is_same);
            let required = |parameter: &Value| parameter["required"].as_bool().unwrap_or(false);
            assert_eq!(ours.map(required), Some(required(parameter)), "{id}: {parameter}");
        }
        assert_eq!(ours.get("requestBody").is_some(), request_body.is_some(), "{id}");
        let successes = |responses: &Value| -> BTreeSet<String> {
            responses.as_object().unwrap().keys().filter(|status| status.starts_with('2')).cloned().collect()
        };
        assert_eq!(successes(&ours["responses"]), successes(responses), "{id}");
        for status in responses.as_object().unwrap().keys() {
            assert!(ours["responses"].get(status).is_some(), "{id}: {status}");
        }
    }
}

/// The status, the schema, the headers, and that no member is missing that an example has. Gives how many
/// examples the answer was compared with.
async fn check_answer(
    engine: &Engine,
    official: &Official,
    operation: &Operation,
    answer: &Answer,
    findings: &mut Findings,
) -> usize {
    let (status, described) = operation.success();
    answer.expect_status(status);
    if described["headers"].get("Location").is_some() {
        let location = answer.header("location").unwrap();
        let request = engine.app.request(Method::GET, location).bearer_auth(engine.app.key());
        Answer::of(request).await.expect(200);
    }
    let Some(schema) = schema(described) else {
        answer.expect_empty(status);
        return 0;
    };
    let body = answer.json();
    let place = format!("{} answer", operation.id);
    for difference in official.differences(schema, &body) {
        findings.add(&place, difference);
    }
    let examples = official.examples(described);
    if body == json!([]) {
        return 0;
    }
    // Of several examples one is meant.
    let nearest = examples.iter().map(|example| shape::differences(example, &body)).min_by_key(Vec::len);
    for difference in nearest.into_iter().flatten() {
        findings.add(&place, difference);
    }
    if operation.id == "get-timezones" {
        let zones = body.as_array().unwrap();
        let places =
            examples[0].as_array().unwrap().iter().map(|zone| zones.iter().position(|ours| ours == zone));
        let places: Vec<usize> = places.map(|place| place.expect("the example's zone is listed")).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
    examples.len()
}

/// Every example of an error is what the server says in the same case.
async fn check_errors(engine: &Engine, official: &Official, operation: &Operation, findings: &mut Findings) {
    for (status, described) in operation.errors() {
        for example in official.examples(described) {
            let world = World::make(engine, official).await;
            let instance = &world.runnable;
            let mut request = requests::of(official, operation).remove(0);
            let mut definition = world.definition.clone();
            match (status, example["code"].as_i64().unwrap()) {
                (400, 5001) => {
                    let body = request.body.as_mut().unwrap();
                    body["definition"].as_object_mut().unwrap().remove("name");
                }
                (400, 1000) => "not-a-uuid".clone_into(&mut definition),
                (404, 1300) => definition = Uuid::new_v4().to_string(),
                other => panic!("{}: nothing is known that is answered with {other:?}", operation.id),
            }
            let answer = request.send(engine, operation, &definition, instance).await;
            let message = answer.expect_error(status, example["code"].as_i64().unwrap());
            assert_eq!(without_ids(&message), without_ids(example["message"].as_str().unwrap()));
            for difference in official.differences(schema(described).unwrap(), &answer.json()) {
                findings.add(&format!("{} error", operation.id), difference);
            }
        }
    }
}

fn without_ids(text: &str) -> String {
    let words = text.split(' ').map(|word| if Uuid::try_parse(word).is_ok() { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
