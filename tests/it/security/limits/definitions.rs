//! What a definition may have, at the limit and one past it: saved, and only checked.

use serde_json::{Value, json};

use crate::support::{TestApp, definition};

/// How much there may be, a definition with so much of it, and what is said of more.
type Limit = (usize, fn(usize) -> Value, &'static str);

const MORE_STEPS: &str = "Workflow has more than 500 steps.";
const LONG_SCRIPT: &str = "Step 'only': script exceeds 1000 characters.";

const LIMITS: &[Limit] = &[
    (500, |count| definition(steps(count)), MORE_STEPS),
    // Those of bodies count like the others: two `If` with one body, and one with two.
    (500, |count| definition(json!([with_bodies("a", &[10]), with_bodies("b", &[count - 12])])), MORE_STEPS),
    (500, |count| definition(json!([with_bodies("a", &[250, count - 251])])), MORE_STEPS),
    (10, |levels| definition(nested(levels)), "Workflow steps are nested deeper than 10 levels."),
    // Characters, not bytes.
    (255, |length| named(&"ß".repeat(length)), "Workflow name is longer than 255 characters."),
    (255, |length| definition(json!([note(&"ß".repeat(length))])), "' is longer than 255 characters."),
    (1000, |length| with("inputs", json!({"more": script(length)})), LONG_SCRIPT),
    (1000, |length| with("inputs", json!({"condition": script(length)})), LONG_SCRIPT),
    (1000, |length| with("outputs", json!({"more": script(length)})), LONG_SCRIPT),
    (1000, |length| with("selectNextStep", json!({"only": script(length)})), LONG_SCRIPT),
    (1000, |length| with("inputs", json!({"more": [{"deep": script(length)}]})), LONG_SCRIPT),
    (3650, |days| waits(json!(days)), "Step 'only': invalid timespan '3651'."),
    (3650, |days| waits(json!(format!("{days}.00:00:00"))), "Step 'only': invalid timespan '3651.00:00:00'."),
    (
        59,
        |seconds| waits(json!(format!("3649.23:59:{seconds}"))),
        "Step 'only': invalid timespan '3649.23:59:60'.",
    ),
    (
        0,
        |seconds| waits(json!(format!("3650.00:00:0{seconds}"))),
        "Step 'only': invalid timespan '3650.00:00:01'.",
    ),
];

#[tokio::test]
async fn each_limit_of_definitions_is_taken_and_one_past_it_is_refused() {
    let app = TestApp::start().await;
    let saved = app.define(definition(steps(1))).await;
    let saved = format!("/definitions/{saved}");
    for (most, make, refusal) in LIMITS {
        let good = make(*most);
        let checked = app.post("/definitions/validate", good.clone()).await.expect(200);
        assert_eq!(checked["valid"], true, "{refusal} {checked}");
        app.put(&saved, good.clone()).await.expect(200);
        app.post("/definitions", good).await.expect(201);

        let past = make(most + 1);
        let checked = app.post("/definitions/validate", past.clone()).await.expect(200);
        assert_eq!(checked["valid"], false, "{refusal} {checked}");
        for message in [
            checked["problems"][0]["message"].as_str().unwrap().to_owned(),
            app.put(&saved, past.clone()).await.expect_error(400, 5001),
            app.post("/definitions", past).await.expect_error(400, 5001),
        ] {
            assert!(message.ends_with(refusal), "{refusal} {message}");
        }
    }
}

#[tokio::test]
async fn so_many_problems_are_told_and_then_that_there_may_be_more() {
    let app = TestApp::start().await;
    for (wrong, told, more) in [(199, 199, false), (200, 200, true), (201, 200, true)] {
        // Each is reached, so that nothing else is said of it.
        let next = |n: usize| (n + 1 < wrong).then(|| (n + 1).to_string());
        let step = |n: usize| json!({"id": n.to_string(), "stepType": "Nothing", "nextStepId": next(n)});
        let steps: Vec<Value> = (0..wrong).map(step).collect();
        let checked = app.post("/definitions/validate", definition(json!(steps))).await.expect(200);
        let (last, problems) = checked["problems"].as_array().unwrap().split_last().unwrap();
        let says_more = last["message"] == "There may be more problems than these 200.";
        assert_eq!((says_more, problems.len() + usize::from(!says_more)), (more, told), "{checked}");
    }
}

fn note(id: &str) -> Value {
    json!({"id": id, "stepType": "If"})
}

fn steps(count: usize) -> Value {
    (0..count).map(|n| note(&n.to_string())).collect()
}

/// An `If` with so many steps in each body.
fn with_bodies(id: &str, counts: &[usize]) -> Value {
    let mut step = note(id);
    step["do"] = counts.iter().map(|count| steps(*count)).collect();
    step
}

/// The steps themselves are the first level.
fn nested(levels: usize) -> Value {
    let mut steps = steps(1);
    for _ in 1..levels {
        let mut outer = note("outer");
        outer["do"] = json!([steps]);
        steps = json!([outer]);
    }
    steps
}

fn named(name: &str) -> Value {
    let mut definition = definition(steps(1));
    definition["definition"]["name"] = name.into();
    definition
}

fn with(member: &str, value: Value) -> Value {
    let mut step = note("only");
    step[member] = value;
    definition(json!([step]))
}

/// So long between its braces, of characters that take two bytes.
fn script(length: usize) -> String {
    format!("{{{{'{}'}}}}", "ß".repeat(length - 2))
}

fn waits(duration: Value) -> Value {
    definition(json!([{"id": "only", "stepType": "Wait", "inputs": {"duration": duration}}]))
}
