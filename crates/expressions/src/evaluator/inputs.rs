//! Evaluates the inputs of a step.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::effort::Effort;
use super::{EvaluationError, Evaluator};
use crate::Template;
use crate::native::Scope;
use crate::protocol::EvaluateFrame;
use crate::template::{Leaf, Node};

pub(super) async fn evaluate_inputs(
    evaluator: &Evaluator,
    account: &str,
    template: &Template,
    data: &Map<String, Value>,
) -> Result<Value, EvaluationError> {
    if let Some(value) = template.constant() {
        return Ok(value.clone());
    }
    let step = Value::Object(Map::new());
    let scope = Scope { data, assigned: &[], step: &step };
    let mut leaves = Vec::new();
    collect_leaves(template.node(), &mut leaves);
    let mut values = Vec::with_capacity(leaves.len());
    let mut effort = Effort::new(evaluator.limits);
    for leaf in &leaves {
        effort.add_script()?;
        values.push(match evaluator.at_once(leaf, scope, || &leaf.script)? {
            Some((value, bytes)) => {
                effort.add_bytes(bytes)?;
                Some(value)
            }
            None => None,
        });
    }
    if values.contains(&None) {
        let frame = |known: &HashSet<u64>| {
            let mut frame = EvaluateFrame::new(account, data, &step, known);
            for (leaf, _) in leaves.iter().zip(&values).filter(|(_, value)| value.is_none()) {
                frame.call(&leaf.script, leaf.mode, None);
            }
            frame.finish()
        };
        let scripts: Vec<_> = leaves
            .iter()
            .zip(&values)
            .filter(|(_, value)| value.is_none())
            .map(|(leaf, _)| &leaf.script)
            .collect();
        let results = evaluator.pool.evaluate(account, &scripts, frame).await?;
        let mut results = results.into_iter();
        for value in values.iter_mut().filter(|value| value.is_none()) {
            let json = results.next().ok_or_else(|| EvaluationError::unavailable("a result is missing"))?;
            effort.add_bytes(json.len())?;
            *value = Some(parse_result(&json)?);
        }
    }
    let mut values = values.into_iter().flatten();
    Ok(build(template.node(), &mut values))
}

pub(super) fn parse_result(json: &[u8]) -> Result<Value, EvaluationError> {
    serde_json::from_slice(json)
        .map_err(|error| EvaluationError::script(&format!("The result is no JSON: {error}")))
}

/// The leaves of a template, in order.
pub(super) fn collect_leaves<'a>(node: &'a Node, leaves: &mut Vec<&'a Leaf>) {
    match node {
        Node::Constant(_) | Node::Placeholder(_) => {}
        Node::Leaf(leaf) => leaves.push(leaf),
        Node::Array(items) => items.iter().for_each(|item| collect_leaves(item, leaves)),
        Node::Object(members) => members.iter().for_each(|(_, member)| collect_leaves(member, leaves)),
    }
}

/// The value of a template whose leaves have these values.
pub(super) fn build(node: &Node, values: &mut impl Iterator<Item = Value>) -> Value {
    match node {
        Node::Constant(value) => value.clone(),
        Node::Placeholder(text) => Value::String(text.clone()),
        Node::Leaf(_) => values.next().expect("there is a value for every leaf"),
        Node::Array(items) => Value::Array(items.iter().map(|item| build(item, values)).collect()),
        Node::Object(members) => {
            Value::Object(members.iter().map(|(key, member)| (key.clone(), build(member, values))).collect())
        }
    }
}
