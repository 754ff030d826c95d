//! Every limit that the OpenAPI document tells of, at it and one past it: of parameters, of headers and of the members
//! of bodies; and the largest body.

mod definitions;
mod members;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use super::world::{Callers, Operation, World};
use crate::support::Answer;

/// What is refused, with its message; of a definition that is only checked, the first problem.
fn refusal(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if answer.status == 400 {
        return Some(
            body["message"].as_str().map_or_else(|| body["invalid_parameters"].to_string(), str::to_owned),
        );
    }
    (body["valid"] == false).then(|| body["problems"][0]["message"].as_str().unwrap().to_owned())
}

/// At the limits and one past them.
struct Bounds {
    within: Vec<Value>,
    past: Vec<Value>,
}

fn bounds(schema: &Value) -> Bounds {
    let (mut within, mut past) = (Vec::new(), Vec::new());
    let number = |name: &str| schema[name].as_i64();
    if let Some(minimum) = number("minimum") {
        within.push(json!(minimum));
        past.push(json!(minimum - 1));
    }
    if let Some(maximum) = number("maximum") {
        within.push(json!(maximum));
        past.push(json!(maximum + 1));
    }
    let size = |name: &str| schema[name].as_u64().map(|size| usize::try_from(size).unwrap());
    if let Some(length) = size("maxLength") {
        within.push(json!("x".repeat(length)));
        past.push(json!("x".repeat(length + 1)));
    }
    if let Some(length) = size("minLength").filter(|length| *length > 0) {
        within.push(json!("x".repeat(length)));
        past.push(json!("x".repeat(length - 1)));
    }
    for unread in ["exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties"] {
        assert!(schema.get(unread).is_none(), "nobody reads `{unread}` here: {schema}");
    }
    Bounds { within, past }
}

fn request(world: &World, operation: &Operation, path: &str) -> RequestBuilder {
    world
        .app
        .request(operation.method.clone(), path)
        .header(AUTHORIZATION, world.own.authorization(operation))
}

#[tokio::test]
async fn parameters_are_taken_at_their_limits_and_refused_one_past_them() {
    let world = World::build().await;
    let mut tried = 0;
    for operation in world.operations(|callers| callers != Callers::Anybody) {
        for parameter in operation.described["parameters"].as_array().into_iter().flatten() {
            let Bounds { within, past } = bounds(&parameter["schema"]);
            let name = parameter["name"].as_str().unwrap();
            let path = world.own.path(operation);
            let ask = async |value: &Value| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let request = match parameter["in"].as_str().unwrap() {
                    "query" => world.request(operation, &format!("{path}?{name}={value}")),
                    "header" => world.request(operation, &path).header(name, value),
                    _ => unreachable!("what a path names has no bounds"),
                };
                Answer::of(request.header(AUTHORIZATION, world.own.authorization(operation))).await
            };
            for value in past {
                let answer = ask(&value).await;
                let message =
                    refusal(&answer).unwrap_or_else(|| panic!("{} {name}={value} {answer:?}", operation.id));
                assert!(message.contains(name), "{} {name}={value}: {message}", operation.id);
                tried += 1;
            }
            for value in within {
                let answer = ask(&value).await;
                assert!(
                    !refusal(&answer).is_some_and(|said| said.contains(name)),
                    "{} {value} {answer:?}",
                    operation.id
                );
            }
        }
    }
    assert!(tried >= 30, "{tried}");
}

#[tokio::test]
async fn the_largest_body_is_taken_and_one_byte_more_is_not() {
    let world = World::build().await;
    for operation in world.operations(|callers| callers != Callers::Anybody) {
        let Some(good) = operation.good_body() else { continue };
        let largest = match (operation.callers, operation.id.as_str()) {
            (Callers::Workflows { .. }, _) => 960 * 1024,
            (_, "create-batch") => 4 * 1024 * 1024,
            _ => 1024 * 1024,
        };
        let good = good.to_string();
        let send = async |size: usize| {
            // Blanks before its end are JSON like the rest.
            let body = format!("{}{}", good, " ".repeat(size - good.len()));
            let request = request(&world, operation, &world.own.path(operation));
            Answer::of(request.header(CONTENT_TYPE, "application/json").body(body)).await
        };
        let answer = send(largest).await;
        assert!(answer.status.is_success(), "{} {answer:?}", operation.id);
        let answer = send(largest + 1).await;
        assert_eq!(answer.status, 413, "{} {answer:?}", operation.id);
    }
}
