//! `GET steps/timezones` and `GET steps/functions` (spec 2.13, 2.14, 4.5, 4.6).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits, Template};

use crate::support::TestApp;

fn texts<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[member].as_str().unwrap()).collect()
}

/// What scripts get, from the process that evaluates them in production.
struct Scripts(Evaluator);

impl Scripts {
    fn new() -> Self {
        let command = EvaluatorCommand::new(env!("CARGO_BIN_EXE_trunkline"), ["evaluator"]);
        Self(Evaluator::new(command, 1, Limits::default()))
    }

    async fn value(&self, script: &str) -> Value {
        let template = Template::compile(&format!("{{{{{script}}}}}").into()).unwrap();
        let value = self.0.inputs("acme", &template, &Map::new()).await;
        value.unwrap_or_else(|error| panic!("{script}: {error}"))
    }
}

#[tokio::test]
async fn c_240_zones_have_an_id_and_a_name() {
    let app = TestApp::start().await;
    let zones = app.get("/steps/timezones").await.expect(200);
    assert_eq!(zones.as_array().unwrap().len(), 139);
    for zone in zones.as_array().unwrap() {
        let members: Vec<&String> = zone.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "name"]);
        assert!(members.iter().all(|member| !zone[*member].as_str().unwrap().is_empty()), "{zone}");
    }
    let ids: BTreeSet<_> = texts(&zones, "id").into_iter().collect();
    assert_eq!(ids.len(), 139);
    let all = zones.as_array().unwrap();
    assert_eq!(
        all[0],
        json!({"id": "Dateline Standard Time", "name": "International Date Line West (UTC-12:00)"})
    );
    assert_eq!(
        all[138],
        json!({"id": "Line Islands Standard Time", "name": "Kiritimati Island (UTC+14:00)"})
    );
    assert!(all.contains(&json!({"id": "UTC", "name": "Coordinated Universal Time (UTC)"})));
}

#[tokio::test]
async fn c_241_c_242_zones_are_found_by_id_or_name_in_any_letter_case() {
    let app = TestApp::start().await;
    let europe = app.get("/steps/timezones?contains=europe").await.expect(200);
    let expected = [
        "W. Europe Standard Time",
        "Central Europe Standard Time",
        "Central European Standard Time",
        "E. Europe Standard Time",
    ];
    assert_eq!(texts(&europe, "id"), expected);
    assert_eq!(app.get("/steps/timezones?contains=EUROPE").await.expect(200), europe);
    let singapore = app.get("/steps/timezones?contains=singapore").await.expect(200);
    assert!(texts(&singapore, "id").contains(&"Singapore Standard Time"), "{singapore}");
    let by_city = app.get("/steps/timezones?contains=kuala%20lum").await.expect(200);
    assert_eq!(texts(&by_city, "id"), ["Singapore Standard Time"]);
    let by_offset = app.get("/steps/timezones?contains=%2B05:45").await.expect(200);
    assert_eq!(texts(&by_offset, "id"), ["Nepal Standard Time"]);

    assert_eq!(app.get("/steps/timezones?contains=atlantis").await.expect(200), json!([]));
    let all = app.get("/steps/timezones").await.expect(200);
    assert_eq!(app.get("/steps/timezones?contains=").await.expect(200), all);
    assert_eq!(app.get("/steps/timezones?contains=%FF&limit=x").await.expect(200), json!([]));
}

#[tokio::test]
async fn c_243_every_listed_id_is_accepted_by_scripts() {
    let app = TestApp::start().await;
    let scripts = Scripts::new();
    let zones = app.get("/steps/timezones").await.expect(200);
    for id in texts(&zones, "id") {
        let call =
            format!("isTimeOfDayBetween('2026-03-02T01:00:00Z', '00:00:00', '23:59:59', {})", json!(id));
        assert_eq!(scripts.value(&call).await, true, "{id}");
    }
}

#[tokio::test]
async fn c_244_every_helper_function_is_described() {
    let app = TestApp::start().await;
    let functions = app.get("/steps/functions").await.expect(200);
    let names = ["isCountryCode", "stringContains", "isTimeOfDayBetween", "isDayOfWeek", "uuid"];
    assert_eq!(texts(&functions, "name"), names);
    for function in functions.as_array().unwrap() {
        let members: Vec<&String> = function.as_object().unwrap().keys().collect();
        assert_eq!(members, ["name", "description", "example", "parameters"]);
        for parameter in function["parameters"].as_array().unwrap() {
            let members: Vec<&String> = parameter.as_object().unwrap().keys().collect();
            assert_eq!(members, ["name", "type", "required", "default", "description", "example"]);
            assert_eq!(parameter["required"] == true, parameter["default"].is_null(), "{parameter}");
            assert!(!parameter["example"].is_null(), "{parameter}");
        }
    }
    let ignore_case = &functions[1]["parameters"][2];
    assert_eq!((&ignore_case["name"], &ignore_case["default"]), (&json!("ignoreCase"), &json!(false)));
}

/// Nobody reads a description that is not true.
#[tokio::test]
async fn the_examples_of_the_functions_work() {
    let app = TestApp::start().await;
    let scripts = Scripts::new();
    let functions = app.get("/steps/functions").await.expect(200);
    for function in functions.as_array().unwrap() {
        let name = function["name"].as_str().unwrap();
        let value = scripts.value(function["example"].as_str().unwrap()).await;
        let arguments: Vec<String> =
            function["parameters"].as_array().unwrap().iter().map(|p| p["example"].to_string()).collect();
        let again = scripts.value(&format!("{name}({})", arguments.join(", "))).await;
        if name == "uuid" {
            assert_ne!(value, again);
            assert_eq!(value.as_str().unwrap().len(), 36);
        } else {
            assert_eq!((value, again), (json!(true), json!(true)), "{function}");
        }
    }
}
