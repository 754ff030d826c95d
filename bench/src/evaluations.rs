//! (x) Expressions evaluated in a second by one core, as a step's inputs are: the member of a context, a helper's call,
//! and what only the sandbox can evaluate.

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use serde_json::{Map, Value, json};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits, Template};

use crate::EVALUATOR;
use crate::summary::per_second;

pub struct Evaluated {
    pub what: &'static str,
    pub per_second: f64,
    /// Evaluations a second that are asked for.
    pub target: Option<f64>,
}

struct Script {
    what: &'static str,
    text: &'static str,
    /// Its value, as JSON.
    value: &'static str,
    times: usize,
    target: Option<f64>,
}

const SCRIPTS: [Script; 3] = [
    Script {
        what: "a member's path",
        text: "{{data.order.customer.id}}",
        value: "4711",
        times: 2_000_000,
        target: Some(1e6),
    },
    Script {
        what: "a helper's call",
        text: "{{stringContains(data.text, 'HELLO', true)}}",
        value: "true",
        times: 1_000_000,
        target: Some(1e5),
    },
    Script {
        what: "a script in the sandbox",
        text: "{{data.lines.map(line => line.sku).join()}}",
        value: "\"a-1,b-2,c-3\"",
        times: 20_000,
        target: None,
    },
];

pub async fn measure() -> anyhow::Result<Vec<Evaluated>> {
    let evaluator = Evaluator::new(EvaluatorCommand::this_program([EVALUATOR]), 1, Limits::default());
    let data = context();
    let mut measured = Vec::new();
    for Script { what, text, value: expected, times, target } in SCRIPTS {
        let template = Template::compile(&Value::from(text))?;
        let value = evaluator.inputs("bench", &template, &data).await?;
        ensure!(value == serde_json::from_str::<Value>(expected)?, "{text} is {value}");
        let begun = Instant::now();
        for _ in 0..times {
            black_box(evaluator.inputs("bench", black_box(&template), black_box(&data)).await?);
        }
        measured.push(Evaluated { what, per_second: per_second(times, begun.elapsed()), target });
    }
    Ok(measured)
}

/// About a kilobyte of JSON.
fn context() -> Map<String, Value> {
    let lines: Vec<Value> = [("a-1", 2), ("b-2", 1), ("c-3", 40)]
        .iter()
        .map(|(sku, count)| json!({"sku": sku, "count": count, "description": "x".repeat(150)}))
        .collect();
    let Value::Object(context) = json!({
        "text": format!("Well, hello to all of you. {}", "Where is my order? ".repeat(10)),
        "order": {"customer": {"id": 4_711, "name": "Mei", "phone": "+6590001111"}, "total": 12.5},
        "lines": lines,
    }) else {
        unreachable!("an object is an object")
    };
    context
}
