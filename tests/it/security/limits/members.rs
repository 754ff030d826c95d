//! Members of bodies, at their limits and one past them.

use serde_json::{Value, json};

use super::{Bounds, bounds, refusal, request};
use crate::security::world::{Callers, Operation, World};
use crate::support::Answer;

/// Limits that the document does not tell of.
fn untold() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("replace-history-policy", "/headers/0", json!({"minLength": 1, "maxLength": 100})),
        ("replace-history-policy", "/members/0", json!({"minLength": 1, "maxLength": 100})),
    ]
}

/// What is refused at a limit for another reason than the limit.
const REFUSED_ANYWAY: [(&str, &str, &str); 1] =
    [("rerun-instance", "/from/message", "it is no workflow of the Workflows API")];

/// Bodies with what the good one leaves out.
fn fuller_bodies(operation: &str) -> Vec<Value> {
    match operation {
        "create-definition" | "update-existing-definition" | "validate-definition" => {
            let retry = json!({"maxAttempts": 3, "initialInterval": 5, "backoff": 2, "maxInterval": 300});
            let inner =
                json!({"id": "inner", "stepType": "Wait", "inputs": {"duration": "1"}, "retry": retry});
            let outer = json!({"id": "outer", "stepType": "If", "inputs": {"condition": "{{true}}"},
                "retry": retry, "do": [[inner]]});
            vec![
                json!({"trigger": "schedule", "schedule": {"cron": "0 9 * * 1", "timeZone": "Europe/Berlin"},
                "definition": {"name": "Fuller", "steps": [outer]}}),
            ]
        }
        "rerun-instance" => vec![json!({"from": {"message": 1}})],
        "create-batch" => vec![json!({"action": "rerun", "filter": {"version": 1}, "dryRun": true,
            "rerun": {"from": {"message": 1}}, "rate": 10, "concurrency": 2})],
        "set-limits" => vec![json!({"recipients": [{"messages": 1, "per": "day"}],
            "quietHours": [{"from": "21:00", "to": "08:00", "days": ["monday"], "channels": ["sms"]}],
            "definitions": [{"definitionId": "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2", "concurrency": 1}]})],
        "create-application" | "update-application" => {
            let url = json!({"address": "https://example.com/", "http_method": "POST"});
            let webhooks = json!({"inbound_url": url, "status_url": url});
            vec![json!({"name": "Fuller", "capabilities": {"messages": {"webhooks": webhooks}}})]
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn members_of_bodies_are_taken_at_their_limits_and_refused_one_past_them() {
    let world = World::build().await;
    let mut tried = 0;
    for operation in world.operations(|callers| callers != Callers::Anybody && callers != Callers::Webhook) {
        let Some(good) = operation.good_body() else { continue };
        let mut bodies = vec![good];
        bodies.extend(fuller_bodies(&operation.id));
        for (place, schema) in limits(&world.document, operation) {
            let body = bodies.iter().find(|body| body.pointer(&place).is_some());
            let body = body.unwrap_or_else(|| panic!("{} {place} is in no body: add one", operation.id));
            let Bounds { within, past } = bounds_of(&place, &schema, body.pointer(&place).unwrap());
            let ask = async |value: Value| {
                let mut body = body.clone();
                *body.pointer_mut(&place).unwrap() = value;
                Answer::of(request(&world, operation, &world.own.path(operation)).json(&body)).await
            };
            for value in within {
                let shown = shown(&value);
                let answer = ask(value).await;
                expect_taken(operation, &place, &answer, &shown);
            }
            for value in past {
                let shown = shown(&value);
                let answer = ask(value).await;
                let message = refusal(&answer);
                let message =
                    message.unwrap_or_else(|| panic!("{} {place} {shown}: {answer:?}", operation.id));
                let name = name(&place);
                assert!(message.contains(name), "{} {place} {shown}: {message}", operation.id);
                tried += 1;
            }
        }
    }
    assert!(tried >= 60, "{tried}");
}

fn expect_taken(operation: &Operation, place: &str, answer: &Answer, shown: &str) {
    let Some(message) = refusal(answer) else {
        assert!(answer.status.is_success(), "{} {place} {shown}: {answer:?}", operation.id);
        return;
    };
    let is_known = REFUSED_ANYWAY
        .iter()
        .any(|(id, at, reason)| *id == operation.id && *at == place && message.contains(reason));
    assert!(is_known, "{} {place} {shown}: {message}", operation.id);
}

/// Of what a body may have: each place with its schema, if that limits anything.
fn limits(document: &Value, operation: &Operation) -> Vec<(String, Value)> {
    let schema = &operation.described["requestBody"]["content"]["application/json"]["schema"];
    let mut found = Vec::new();
    places(document, schema, "", &[], &mut found);
    found.extend(
        untold()
            .into_iter()
            .filter(|(id, ..)| *id == operation.id)
            .map(|(_, place, schema)| (place.to_owned(), schema)),
    );
    let names = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"];
    found.retain(|(_, schema)| names.iter().any(|name| schema.get(name).is_some()));
    found
}

/// Schemas with what they refer to in their places, and the place of each in a body. Of what contains itself there are
/// two levels.
fn places(document: &Value, schema: &Value, at: &str, within: &[&str], found: &mut Vec<(String, Value)>) {
    if let Some(reference) = schema["$ref"].as_str() {
        if within.iter().filter(|outer| **outer == reference).count() < 2 {
            let schema = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
            places(document, schema, at, &[within, &[reference]].concat(), found);
        }
        return;
    }
    found.push((at.to_owned(), schema.clone()));
    for choice in ["oneOf", "anyOf", "allOf"] {
        for one in schema[choice].as_array().into_iter().flatten() {
            places(document, one, at, within, found);
        }
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        places(document, member, &format!("{at}/{name}"), within, found);
    }
    if schema.get("items").is_some() {
        places(document, &schema["items"], &format!("{at}/0"), within, found);
    }
}

fn bounds_of(place: &str, schema: &Value, there: &Value) -> Bounds {
    let mut bounds = bounds(schema);
    // Long, and good but for that.
    let begins = match name(place) {
        "cron" => "0 9 * * 1",
        "address" => "https://example.com/",
        _ => "",
    };
    for text in bounds.within.iter_mut().chain(&mut bounds.past).filter(|value| value.is_string()) {
        let length = text.as_str().unwrap().len();
        let filling = if begins.contains(' ') { " " } else { "x" };
        let good = format!("{begins}{}", filling.repeat(length.saturating_sub(begins.len())));
        *text = json!(if length < begins.len() { "" } else { &good });
    }
    let of = |count: u64| {
        let first = &there[0];
        Value::Array((0..count).map(|n| another(first, n)).collect())
    };
    if let Some(most) = schema["maxItems"].as_u64() {
        bounds.within.push(of(most));
        bounds.past.push(of(most + 1));
    }
    if let Some(least) = schema["minItems"].as_u64().filter(|least| *least > 0) {
        bounds.within.push(of(least));
        bounds.past.push(of(least - 1));
    }
    bounds
}

/// What the place is called.
fn name(place: &str) -> &str {
    place.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap()
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

/// The nth of many that are alike and not the same.
fn another(item: &Value, n: u64) -> Value {
    match item {
        Value::String(id) if id.len() == 24 => json!(format!("{n:024x}")),
        Value::String(id) if id.len() == 36 => json!(format!("{}{n:012x}", &id[..24])),
        // One of few words.
        Value::String(word) if ["monday", "sms"].contains(&word.as_str()) => item.clone(),
        Value::String(text) => json!(format!("{text}{n}")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let value = match name.as_str() {
                    "sender" | "definitionId" | "id" => another(value, n),
                    "per" => json!(["second", "minute", "hour", "day"][usize::try_from(n % 4).unwrap()]),
                    _ => value.clone(),
                };
                (name.clone(), value)
            };
            members.iter().map(member).collect()
        }
        other => other.clone(),
    }
}
