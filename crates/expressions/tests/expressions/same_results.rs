//! The fast path gives what QuickJS gives.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use trunkline_expressions::{EvaluationError, Evaluator, EvaluatorCommand, Limits, Template};

use crate::support::{ACCOUNT, evaluator, object};

/// Names that objects have, that arrays and strings have, and that prototypes have.
const NAMES: &[&str] = &[
    "a",
    "b",
    "list",
    "0",
    "1",
    "10",
    "length",
    "toString",
    "constructor",
    "__proto__",
    "valueOf",
    "é",
    "name",
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "1.0",
    " 12 ",
    "-5",
    "+5",
    ".5",
    "5.",
    "1e3",
    "1e400",
    "0x10",
    "Infinity",
    "-Infinity",
    "NaN",
    "true",
    "false",
    "null",
    "abc",
    "ABC",
    "abd",
    "a",
    "é",
    "É",
    "😀",
    "\u{e000}",
    "\u{feff}x\u{a0}",
    "\u{85}x",
    "a\"b\\c\n",
    "2021-05-25",
    "2026-03-02T10:00:00Z",
    "09:00",
    "18:00:00",
    "UTC",
    "Tuesday",
    "SG",
    "+6512345678",
    "1_0",
    "12px",
    "__proto__",
    "length",
    "constructor",
    "list",
    "b",
];

const NUMBERS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    10.0,
    0.1,
    0.2,
    1.5,
    -2.5,
    12.0,
    1e3,
    1e15,
    9_007_199_254_740_993.0,
    1e19,
    1e20,
    1e21,
    1.5e21,
    1e-6,
    1e-7,
    123_456.789,
    4_294_967_295.0,
    5e-324,
    1.797_693_134_862_315_7e308,
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        1 => any::<f64>().prop_map(|number| number.to_string()),
        1 => ".{0,6}",
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::sample::select(NUMBERS),
        1 => any::<i32>().prop_map(f64::from),
        1 => any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

/// A script of what the fast path knows, and a little of what it does not.
fn script() -> impl Strategy<Value = String> {
    let literal = prop_oneof![
        text().prop_map(|text| serde_json::to_string(&text).unwrap()),
        number().prop_map(|number| serde_json::to_string(&number).unwrap()),
        prop::sample::select(vec!["null", "undefined", "true", "false", "NaN", "Infinity"])
            .prop_map(str::to_owned),
    ];
    let root = prop::sample::select(vec![
        "data",
        "step",
        "a",
        "list",
        "name",
        "data.list",
        "data.a",
        "data.b",
        "nothing",
    ]);
    let link = prop_oneof![
        6 => prop::sample::select(vec![
            ".a", ".b", ".list", ".length", "[0]", "[1]", "['a']", "['10']", "[10]", ".none", "?.a", ".toString", "[-1]",
            "[0.5]", "['0']", ".constructor", ".__proto__", "['é']", ".name",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            ".trim()", ".toLowerCase()", ".toUpperCase()", ".includes('a')", ".startsWith(data.b)", ".endsWith(data.list)",
            ".includes(name)", ".toString()", ".valueOf()", ".none()",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["[data.a]", "[data.b]", "[name]", "[data.list.length]"]).prop_map(str::to_owned),
    ];
    let chain = (root, prop::collection::vec(link, 0..4))
        .prop_map(|(root, links)| format!("{root}{}", links.concat()));
    let operand = prop_oneof![1 => literal, 2 => chain];
    operand.prop_recursive(3, 16, 3, |inner| {
        let operator = prop::sample::select(vec![
            "==", "!=", "===", "!==", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, op, right)| format!("({left} {op} {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} ?? {right})")),
            inner.clone().prop_map(|operand| format!("!{operand}")),
            inner.clone().prop_map(|operand| format!("-({operand})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
            inner.clone().prop_map(|operand| format!("`x${{{operand}}}y`")),
            inner.clone().prop_map(|operand| format!("({operand}).a")),
            (helper(), prop::collection::vec(inner, 0..5))
                .prop_map(|(helper, arguments)| format!("{helper}({})", arguments.join(", "))),
        ]
    })
}

fn helper() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "isCountryCode",
        "stringContains",
        "isTimeOfDayBetween",
        "isDayOfWeek",
        "StringContains",
    ])
}

fn template_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => script().prop_map(|script| format!("{{{{{script}}}}}")),
        1 => (script(), script()).prop_map(|(one, other)| format!("<{{{{{one}}}}}é{{{{{other}}}}}")),
    ]
}

#[test]
fn the_fast_path_gives_what_quickjs_gives() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One that has only the fast path, and one that never takes it.
    let fast = Evaluator::new(EvaluatorCommand::new("/nonexistent", [""; 0]), 1, Limits::default());
    let slow = evaluator().without_fast_path();
    let members = prop::collection::vec((prop::sample::select(NAMES), json_value()), 0..6);
    let (certain, all) = (Cell::new(0_u32), Cell::new(0_u32));
    let mut runner = TestRunner::new(Config {
        cases: Config::default().cases.max(4000),
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(
        &(template_text(), members, json_value(), any::<bool>()),
        |(text, members, step, is_condition)| {
            let data: Value = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let value = json!(text);
            let compiled =
                if is_condition { Template::compile_condition(&value) } else { Template::compile(&value) };
            let Ok(template) = compiled else {
                return Ok(());
            };
            let data = object(data);
            let step = json!({"a": step});
            let ask = |evaluator: Evaluator| {
                let after = trunkline_expressions::After {
                    outputs: vec![("out".into(), template.clone())],
                    conditions: vec![],
                };
                runtime.block_on(async {
                    let inputs = evaluator.inputs(ACCOUNT, &template, &data).await;
                    let outputs = evaluator.after(ACCOUNT, &after, &data, &step).await;
                    [inputs, outputs.map(|mut result| result.assigned.remove(0).1)]
                })
            };
            for (fast, slow) in ask(fast.clone()).into_iter().zip(ask(slow.clone())) {
                all.set(all.get() + 1);
                if matches!(fast, Err(EvaluationError::Unavailable { .. })) {
                    continue;
                }
                certain.set(certain.get() + 1);
                prop_assert_eq!(
                    fast.clone().map(|value| value.to_string()),
                    slow.map(|value| value.to_string()),
                    "{}",
                    text
                );
            }
            Ok(())
        },
    );
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (certain, all) = (certain.get(), all.get());
    assert!(certain * 3 > all, "the fast path knew only {certain} of {all}");
}
