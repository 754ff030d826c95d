//! Definitions with something wrong in them: refused with the place named, or taken and shown again.

use reqwest::Method;
use serde_json::{Value, json};

use super::alter::{places, replacements};
use super::bodies;
use super::tables::rows;
use super::writes::start;
use crate::support::{Answer, TestApp, sample};

/// Every member of a definition with everything in it becomes every type of JSON.
#[tokio::test]
async fn a_definition_with_a_wrong_type_anywhere_is_refused_by_name_or_shown_again() {
    let (app, _) = start().await;
    let full = bodies::full_definition();
    let updated = app.define(full.clone()).await;
    let (mut refused, mut taken) = (0, 0);
    for place in places(&full) {
        for value in replacements() {
            let mut body = full.clone();
            let old = std::mem::replace(body.pointer_mut(&place).unwrap(), value.clone());
            if old == value {
                continue;
            }
            let before = rows(&app).await;
            let answer = app.post("/definitions", body.clone()).await;
            if answer.status == 201 {
                taken += 1;
                expect_echo(&body, &answer.json());
                continue;
            }
            refused += 1;
            let code = if place.is_empty() && !value.is_object() { 1000 } else { 5001 };
            let message = answer.expect_error(400, code);
            assert!(names_place(&message, &place, &full), "{place} {value}: {message}");
            expect_pointed_at(&app, &body, &message, &place).await;
            assert_eq!(
                app.put(&format!("/definitions/{updated}"), body).await.expect_error(400, code),
                message
            );
            assert_eq!(rows(&app).await, before, "{place} {value}");
        }
    }
    assert!(refused > 200 && taken > 200, "{refused} {taken}");
    assert_eq!(app.get(&format!("/definitions/{updated}")).await.expect(200).as_array().unwrap().len(), 1);
    app.post("/definitions", full).await.expect(201);
}

/// Whether the message says what the place is called. Of a step that has no id nobody can say it.
fn names_place(message: &str, place: &str, full: &Value) -> bool {
    match place {
        "" => ["Invalid request body. It must be an object.", "Workflow definition is required."]
            .contains(&message),
        "/definition" => {
            ["Workflow definition is required.", "Workflow name is required."].contains(&message)
        }
        "/definition/name" => message == "Workflow name is required.",
        _ if place.starts_with("/definition/") => names_step(message, place, full),
        _ => message.to_lowercase().contains(&place[1..].to_lowercase()),
    }
}

fn names_step(message: &str, place: &str, full: &Value) -> bool {
    let within = place.match_indices('/').map(|(end, _)| &place[..end]).chain([place]);
    let mut ids = within.filter_map(|place| full.pointer(place)?.get("id")?.as_str());
    let part = place.rsplit('/').next().unwrap();
    let holds_steps = ["steps", "do"].contains(&part) || part.parse::<usize>().is_ok();
    match message {
        "Workflow steps are required." => part == "steps",
        "Step id is required." => part == "id" || holds_steps,
        _ if message.starts_with("Step type '") => part == "stepType",
        _ => ids.next_back().is_some_and(|id| message.starts_with(&format!("Step '{id}': "))),
    }
}

/// Checking says the same message first, and points at the place or at the step that it is in.
async fn expect_pointed_at(app: &TestApp, body: &Value, message: &str, place: &str) {
    let checked = app.post("/definitions/validate", body.clone()).await.expect(200);
    let problem = &checked["problems"][0];
    assert_eq!((&checked["valid"], &problem["message"]), (&false.into(), &message.into()), "{checked}");
    let path = problem["path"].as_str().unwrap();
    let step = ["/do/0/", "/definition/steps/"].iter().find_map(|steps| {
        let start = place.find(steps)? + steps.len();
        Some(place[start..].find('/').map_or(place, |end| &place[..start + end]))
    });
    assert!(path.starts_with(step.unwrap_or(place)), "{place}: {checked}");
}

fn expect_echo(sent: &Value, saved: &Value) {
    for (name, value) in sent.as_object().unwrap().iter().filter(|(name, _)| *name != "definition") {
        let default = if name == "status" { json!("disabled") } else { json!(null) };
        let expected = if value.is_null() { &default } else { value };
        assert_eq!(&saved[name], expected, "{name}");
    }
    for (name, value) in sent["definition"].as_object().unwrap() {
        assert_eq!(&saved["definition"][name], value, "{name}");
    }
}

/// Of members whose names differ in letter case alone one counts, and of what is checked and what is saved it is the same one.
#[tokio::test]
async fn of_members_that_differ_in_letter_case_one_is_checked_and_the_same_is_saved() {
    let (app, _) = start().await;
    let send = async |body: &str| {
        Answer::of(app.account_request(Method::POST, "/definitions").body(body.to_owned())).await
    };
    let good_steps = format!("[{}]", sample::sms("good"));
    let bad_steps = r#"[{"id": "bad", "stepType": "None"}]"#;
    let definition = |name: &str, steps: &str| format!(r#"{{"name": "{name}", "steps": {steps}}}"#);
    let (good, bad) = (definition("good", &good_steps), definition("bad", bad_steps));
    let orders =
        |good: &str, bad: &str| [[good.to_owned(), bad.to_owned()], [bad.to_owned(), good.to_owned()]];
    for (a, b) in [("definition", "Definition"), ("Definition", "DEFINITION"), ("DEFINITION", "Definition")] {
        for [one, two] in orders(&good, &bad) {
            let body = format!(r#"{{"trigger": "inbound_sms", "{a}": {one}, "{b}": {two}}}"#);
            expect_good_or_refused(&send(&body).await, &body);
        }
    }
    for (a, b) in [("steps", "Steps"), ("Steps", "STEPS"), ("STEPS", "Steps")] {
        for [one, two] in orders(&good_steps, bad_steps) {
            let definition = format!(r#"{{"name": "good", "{a}": {one}, "{b}": {two}}}"#);
            let body = format!(r#"{{"trigger": "inbound_sms", "definition": {definition}}}"#);
            expect_good_or_refused(&send(&body).await, &body);
        }
    }
}

fn expect_good_or_refused(answer: &Answer, body: &str) {
    if answer.status == 201 {
        let saved = answer.json();
        let saved = &saved["definition"];
        assert_eq!((&saved["name"], &saved["steps"][0]["id"]), (&"good".into(), &"good".into()), "{body}");
    } else {
        assert_eq!(answer.expect_error(400, 5001), "Step type 'None' is not supported.", "{body}");
    }
}
