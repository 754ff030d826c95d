//! The helper functions as scripts call them (spec 4.5).

use serde_json::{Value, json};

use crate::support::Both;

async fn expect(cases: &[(&str, bool)]) {
    let both = Both::new();
    for (script, expected) in cases {
        let data = json!({"number": 6_512_345_678_i64, "list": ["a", "b"], "nothing": null});
        assert_eq!(both.script(script, data).await, Ok(Value::Bool(*expected)), "{script}");
    }
}

#[tokio::test]
async fn c_211_c_212_is_country_code() {
    expect(&[
        ("isCountryCode('+6512345678', 'SG')", true),
        ("isCountryCode('+6512345678', 'US')", false),
        ("isCountryCode('6512345678', 'SG')", true),
        ("isCountryCode(data.number, 'sg')", true),
        ("isCountryCode('SG.90817263544536271', 'sg')", true),
        ("IsCountryCode(data.none, 'SG')", false),
        ("isCountryCode(nothing, nothing)", false),
        ("isCountryCode()", false),
        ("['+6512345678'].every(n => isCountryCode(n, 'SG'))", true),
    ])
    .await;
}

#[tokio::test]
async fn c_213_c_214_string_contains() {
    expect(&[
        ("stringContains('hello, world', 'WOR')", false),
        ("stringContains('hello, world', 'WOR', true)", true),
        ("stringContains(\"hello, world\", \"wor\", true)", true),
        ("stringContains(null, 'x')", false),
        ("stringContains('x', undefined)", false),
        ("stringContains('x', '')", true),
        ("stringContains(12345, 234)", true),
        ("stringContains(true, 'ru')", true),
        ("stringContains(data.list, 'b')", true),
        ("StringContains('A', 'a', 'yes')", true),
        ("stringContains('A', 'a', 0)", false),
    ])
    .await;
}

#[tokio::test]
async fn c_215_c_216_c_217_is_time_of_day_between() {
    expect(&[
        (
            "isTimeOfDayBetween('2020-10-15T14:40:15+07:00','09:00:00','18:00:00','Singapore Standard Time')",
            true,
        ),
        ("isTimeOfDayBetween('2026-03-02T01:00:00Z','09:00:00','18:00:00','Singapore Standard Time')", true),
        (
            "isTimeOfDayBetween('2026-03-02T10:00:00.900Z','09:00:00','18:00:00','Singapore Standard Time')",
            true,
        ),
        ("isTimeOfDayBetween('2026-03-02T10:00:01Z','09:00:00','18:00:00','Singapore Standard Time')", false),
        ("isTimeOfDayBetween('2026-07-01T07:30:00Z','09:00:00','17:00:00','W. Europe Standard Time')", true),
        ("isTimeOfDayBetween('2026-01-05T07:30:00Z','09:00:00','17:00:00','W. Europe Standard Time')", false),
        ("isTimeOfDayBetween('2026-01-05T23:30:00Z','22:00:00','06:00:00','UTC')", true),
        ("isTimeOfDayBetween('2026-01-05T05:30:00Z','22:00:00','06:00:00','UTC')", true),
        ("isTimeOfDayBetween('2026-01-05T12:00:00Z','22:00:00','06:00:00','UTC')", false),
        ("IsTimeOfDayBetween(data.nothing,'22:00:00','06:00:00','UTC')", false),
    ])
    .await;
}

#[tokio::test]
async fn c_218_an_unknown_time_zone_is_a_fault() {
    let both = Both::new();
    for (script, detail) in [
        (
            "isTimeOfDayBetween('2026-01-05T12:00:00Z','09:00','17:00','Mars Standard Time')",
            "`Mars Standard Time` is not a known time zone.",
        ),
        ("isTimeOfDayBetween('noon','09:00','17:00','UTC')", "`noon` is not an ISO 8601 timestamp."),
        ("isDayOfWeek('2021-05-25', 'Someday')", "`Someday` is not the name of a day."),
    ] {
        let fault = both.script(script, json!({})).await.unwrap_err();
        let detail = detail.trim_end_matches('.');
        assert_eq!(
            fault,
            format!("Failed to evaluate the expression. Error: {detail}, in `{{{{{script}}}}}`.")
        );
    }
}

#[tokio::test]
async fn c_219_is_day_of_week() {
    expect(&[
        ("isDayOfWeek('2021-05-25', 'TUESDAY')", true),
        ("isDayOfWeek('2021-05-25', 'Tuesday')", true),
        ("isDayOfWeek('2021-05-25T23:59:59+08:00', 'Wednesday')", false),
        ("IsDayOfWeek(data.none, 'Tuesday')", false),
    ])
    .await;
}

#[tokio::test]
async fn c_220_uuid_differs_on_each_call() {
    let fast = crate::support::evaluator();
    for evaluator in [fast.clone(), fast.without_fast_path()] {
        let template =
            trunkline_expressions::Template::compile(&json!(["{{uuid()}}", "{{Uuid()}}"])).unwrap();
        let value = evaluator.inputs("account", &template, &serde_json::Map::new()).await.unwrap();
        let ids: Vec<_> = [0, 1].map(|at| uuid::Uuid::parse_str(value[at].as_str().unwrap()).unwrap()).into();
        assert_ne!(ids[0], ids[1]);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
        assert_eq!(ids[0].hyphenated().to_string(), value[0].as_str().unwrap());
    }
}
