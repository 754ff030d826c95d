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

/// What, the script, its value, how often, the target.
const SCRIPTS: [(&str, &str, fn() -> Value, usize, Option<f64>); 3] = [
    ("a member's path", "{{data.order.customer.id}}", || 4_711.into(), 2_000_000, Some(1e6)),
    ("a helper's call", "{{stringContains(data.text, 'HELLO', true)}}", || true.into(), 1_000_000, Some(1e5)),
    (
        "a script in the sandbox",
        "{{data.lines.map(line => line.sku).join()}}",
        || "a-1,b-2,c-3".into(),
        20_000,
        None,
    ),
];

pub async fn measure() -> anyhow::Result<Vec<Evaluated>> {
    let evaluator = Evaluator::new(EvaluatorCommand::this_program([EVALUATOR]), 1, Limits::default());
    let data = context();
    let mut measured = Vec::new();
    for (what, script, expected, count, target) in SCRIPTS {
        let template = Template::compile(&Value::from(script))?;
        let value = evaluator.inputs("bench", &template, &data).await?;
        ensure!(value == expected(), "{script} is {value}");
        let begun = Instant::now();
        for _ in 0..count {
            black_box(evaluator.inputs("bench", black_box(&template), black_box(&data)).await?);
        }
        measured.push(Evaluated { what, per_second: per_second(count, begun.elapsed()), target });
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
