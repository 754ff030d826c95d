//! The check as a table. The stories over HTTP know the messages of single errors.

use serde_json::{Value, json};

use super::*;

/// Scripts that contain `!` are wrong at that place.
fn check_scripts(_: ScriptPlace, value: &Value) -> Vec<ScriptProblem> {
    let wrong = |text: &str, path: &str| {
        text.find('!').map(|at| ScriptProblem {
            flaw: ScriptFlaw::Invalid,
            path: path.to_owned(),
            column: at + 1,
            detail: "an exclamation mark".to_owned(),
        })
    };
    match value {
        Value::String(text) => wrong(text, "").into_iter().collect(),
        Value::Array(items) => items.iter().filter_map(|item| wrong(item.as_str()?, "/0")).collect(),
        _ => Vec::new(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn problems(body: Value) -> Vec<String> {
    let severity = |severity| if severity == Severity::Error { "E" } else { "W" };
    check(body.to_string().as_bytes(), &check_scripts)
        .into_iter()
        .map(|p| {
            let column = p.column.map(|column| format!(":{column}")).unwrap_or_default();
            format!("{} {}{column} {}", severity(p.severity), p.path, p.message)
        })
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn with_steps(steps: Value) -> Value {
    json!({"trigger": "http_request", "definition": {"name": "x", "steps": steps}})
}

#[test]
fn all_problems_are_told_with_their_places() {
    assert_eq!(
        problems(
            json!({"Trigger": "x", "status": 5, "subAccountId": 1, "Definition": {"NAME": " ", "steps": [
                7,
                {"stepType": "Wait"},
                {"ID": "a", "stepType": "Telegram", "inputs": {"x": ["{{!}}"]}, "outputs": 1},
                {"id": "a", "stepType": "Wait", "Inputs": {"Duration": "soon"}, "nextStepId": 3, "retry": {"backoff": 0}},
                {"id": "if", "stepType": "If", "inputs": {"condition": "!"}, "do": [[{"id": "in", "inputs": []}], 1]},
                {"id": "call", "stepType": "VoiceMessage", "inputs": {"action": "sing", "params": {}},
                    "selectNextStep": {"a/b": "ok!"}},
                {"id": "b", "stepType": "Branch"}
            ]}})
        ),
        [
            "E /Definition/NAME Workflow name is required.",
            "E /Trigger Trigger 'x' is not supported.",
            "E /status Status '5' is not supported.",
            "E /subAccountId subAccountId must be a string.",
            "E /Definition/steps/0 Step id is required.",
            "E /Definition/steps/1/id Step id is required.",
            "E /Definition/steps/1/inputs/duration Step '': input 'duration' is required.",
            "E /Definition/steps/2/stepType Step type 'Telegram' is not supported.",
            "E /Definition/steps/2/inputs/x/0:3 Step 'a': invalid script.",
            "E /Definition/steps/2/outputs Step 'a': outputs must be an object.",
            "E /Definition/steps/3/Inputs/Duration Step 'a': invalid timespan 'soon'.",
            "E /Definition/steps/3/nextStepId Step 'a': nextStepId must be a string.",
            "E /Definition/steps/3/retry/maxAttempts Step 'a': retry maxAttempts is required.",
            "E /Definition/steps/3/retry/backoff Step 'a': retry backoff must be a number of 1 or more.",
            "E /Definition/steps/3/id Duplicate step id 'a'.",
            "E /Definition/steps/4/inputs/condition:1 Step 'if': invalid script.",
            "E /Definition/steps/4/do/0/0/inputs Step 'in': inputs must be an object.",
            "E /Definition/steps/4/do/0/0/inputs/subAccountId Step 'in': input 'subAccountId' is required.",
            "E /Definition/steps/4/do/0/0/inputs/destination Step 'in': input 'destination' is required.",
            "E /Definition/steps/4/do/0/0/inputs/text Step 'in': input 'text' is required.",
            "E /Definition/steps/4/do/1 Step 'if': do must be an array of arrays of steps.",
            "E /Definition/steps/5/inputs/action Step 'call': action 'sing' is not supported.",
            "E /Definition/steps/5/selectNextStep/a~1b:3 Step 'call': invalid script.",
            "E /Definition/steps/6/selectNextStep Step 'b': selectNextStep is required.",
            "W /Definition/steps/2 Step 'a' is never reached.",
            "W /Definition/steps/3 Step 'a' is never reached.",
            "W /Definition/steps/4 Step 'if' is never reached.",
            "W /Definition/steps/4/do/0/0 Step 'in' is never reached.",
            "W /Definition/steps/5 Step 'call' is never reached.",
            "W /Definition/steps/5/selectNextStep/a~1b Step 'call': there is no step 'a/b' to go on with; the path ends there.",
            "W /Definition/steps/6 Step 'b' is never reached.",
        ]
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_about() {
    assert_eq!(
        problems(json!({"trigger": "inbound_sms", "schedule": {}, "definition": {"name": "x", "steps": [
            {"id": "a", "stepType": "Branch", "nextStepId": "b", "selectNextStep": {"nowhere": null, "b": null}},
            {"id": "b", "stepType": "WaitForDTMF", "inputs": {}, "nextStepId": "gone"},
            {"id": "c", "stepType": "Goto", "inputs": {"stepId": "gone"}, "do": [[{"id": "d"}]]},
            {"id": "e", "stepType": "If", "do": [[{"id": "f", "stepType": "Jump", "nextStepId": "a"}]]},
            {"id": "g", "stepType": "WaitForDTMF", "do": [], "nextStepId": "", "inputs": {"correlationId": "x"}},
        ]}})),
        [
            "W /schedule Schedule is ignored: the trigger is 'inbound_sms'.",
            "W /definition/steps/0/nextStepId Step 'a' has both nextStepId and selectNextStep; nextStepId is ignored.",
            "W /definition/steps/0/selectNextStep/nowhere Step 'a': there is no step 'nowhere' to go on with; the path ends there.",
            "W /definition/steps/1/nextStepId Step 'b': there is no step 'gone' to go on with; the path ends there.",
            "W /definition/steps/1/inputs Step 'b': input 'dtmfRequestId' is missing; the step fails when it is run.",
            "W /definition/steps/2 Step 'c' is never reached.",
            "W /definition/steps/2/inputs/stepId Step 'c': there is no step 'gone' to go on with; the path ends there.",
            "W /definition/steps/2/do Step 'c': do is ignored; only an If has a body.",
            "W /definition/steps/3 Step 'e' is never reached.",
            "W /definition/steps/3 Step 'e': input 'condition' is missing; the steps in do are never run.",
            "W /definition/steps/3/do/0/0 Step 'f' is never reached.",
            "W /definition/steps/4 Step 'g' is never reached.",
        ]
    );
}

#[test]
fn what_is_no_json_object_is_told_with_line_and_column() {
    for (body, line, column, detail, message) in [
        ("{\n \"ä\": 1,\n}", Some(3), Some(1), "trailing comma", "Trailing comma at line 3 column 1."),
        ("{\"ä\" 1}", Some(1), Some(6), "expected `:`", "Expected `:` at line 1 column 6."),
        ("", Some(1), None, "EOF while parsing a value", "EOF while parsing a value at line 1."),
        ("[]", None, None, "it must be an object", "It must be an object."),
    ] {
        let message = format!("Invalid request body. {message}");
        let found = check(body.as_bytes(), &check_scripts);
        let [problem] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (problem.line, problem.column, problem.detail.as_deref()),
            (line, column, Some(detail)),
            "{body}"
        );
        assert_eq!((problem.severity, &problem.message), (Severity::Error, &message));
        let refused = parse(body.as_bytes(), &check_scripts).unwrap_err();
        assert!(matches!(refused, DefinitionError::Malformed(_)), "{body}");
        assert_eq!(refused.to_string(), message);
    }
}

#[test]
fn a_schedule_is_asked_for_by_its_trigger_alone() {
    let with = |schedule: Value| {
        let steps = json!([{"id": "a", "stepType": "If", "inputs": {"condition": "{{true}}"}}]);
        json!({"trigger": "schedule", "schedule": schedule, "definition": {"name": "x", "steps": steps}})
    };
    assert_eq!(problems(with(Value::Null)), ["E /schedule Schedule is required."]);
    assert_eq!(
        problems(with(json!({"Cron": "x", "timezone": "y"}))),
        [
            "E /schedule/Cron Schedule cron 'x' is not valid: it has not five fields, or six with seconds first, but 1.",
            "E /schedule/timezone Schedule timeZone 'y' is not known.",
        ]
    );
    let body = with(json!({"cron": "@daily"}));
    assert_eq!(problems(body.clone()), [""; 0]);
    let input = parse(body.to_string().as_bytes(), &check_scripts).unwrap();
    assert_eq!(input.schedule.unwrap().cron, "@daily");
    assert_eq!(Value::Object(input.extras.envelope), json!({"schedule": {"cron": "@daily"}}));
    let mut ignored = body;
    ignored["trigger"] = "http_request".into();
    assert!(parse(ignored.to_string().as_bytes(), &check_scripts).unwrap().schedule.is_none());
}

#[test]
fn the_first_error_is_the_one_that_saving_answers() {
    for body in [
        json!({"definition": {"name": "x", "steps": [{"id": "a", "stepType": "Wait"}, 1]}, "status": 1}),
        with_steps(json!([{"id": "a"}, {"id": "a"}])),
        with_steps(json!([{"id": "", "stepType": "Wait", "inputs": {"duration": "{{!}}"}}])),
    ] {
        let text = body.to_string();
        let first = check(text.as_bytes(), &check_scripts).remove(0).message;
        let error = parse(text.as_bytes(), &check_scripts).unwrap_err();
        assert!(matches!(error, DefinitionError::Invalid(message) if message == first));
    }
}

#[test]
fn lists_end_somewhere() {
    let many = with_steps(Value::Array(vec![json!({"id": "a"}); 600]));
    let found = problems(many);
    assert_eq!(found.len(), 201);
    assert_eq!(found[200], "W  There may be more problems than these 200.");
    let steps =
        (0..501).map(|n| json!({"id": n.to_string(), "stepType": "Jump", "nextStepId": (n + 1).to_string()}));
    let found = problems(with_steps(steps.collect()));
    assert_eq!(found[0], "E /definition/steps/500 Workflow has more than 500 steps.");
    let mut nested = json!([{"id": "a", "stepType": "If"}]);
    for _ in 0..10 {
        nested = json!([{"id": "a", "stepType": "If", "inputs": {"condition": true}, "do": [nested]}]);
    }
    let found = problems(with_steps(nested));
    let path = format!("/definition/steps{}", "/0/do/0".repeat(10));
    assert_eq!(found[0], format!("E {path} Workflow steps are nested deeper than 10 levels."));
}
