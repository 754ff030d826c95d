//! Evaluates what comes after a step's activity.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::assigned_data::AssignedData;
use super::effort::Effort;
use super::inputs::{build, collect_leaves, parse_result};
use super::{EvaluationError, Evaluator};
use crate::Template;
use crate::native::{Scope, copy_as_javascript, measure, truth};
use crate::protocol::EvaluateFrame;
use crate::template::{Node, Script};

/// Members of `data` that outputs cannot change (spec 4.2).
const RESERVED: [&str; 3] = ["accountId", "subAccountId", "triggeredAt"];

/// What happens after a step's activity: each output is assigned into `data` at once, so that later ones
/// see it, and then the conditions see all of them. Outputs with a reserved key are ignored.
#[derive(Debug, Clone, Default)]
pub struct After {
    /// Keys of `data` and templates of [`Template::compile_output`], in order.
    pub outputs: Vec<(String, Template)>,
    /// Templates of [`Template::compile_condition`].
    pub conditions: Vec<Template>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct AfterResult {
    /// What must be written into `data`, in order.
    pub assigned: Vec<(String, Value)>,
    /// The truth of every condition.
    pub truths: Vec<bool>,
}

pub(super) async fn evaluate_after(
    evaluator: &Evaluator,
    account: &str,
    after: &After,
    data: &Map<String, Value>,
    step: &Value,
) -> Result<AfterResult, EvaluationError> {
    let outputs = outputs_to_assign(after, data);
    let mut run = Run { evaluator, data, step, assigned: Vec::new(), effort: Effort::new(evaluator.limits) };
    let done = run.assign_at_once(&outputs)?;
    let outputs = &outputs[done..];
    let mut truths = Vec::with_capacity(after.conditions.len());
    for condition in &after.conditions {
        // While outputs are missing, no condition can be told.
        truths.push(if outputs.is_empty() { run.value_at_once(condition)? } else { None });
    }
    if outputs.is_empty() && !truths.contains(&None) {
        return Ok(run.finish(truths.into_iter().flatten()));
    }
    let pending: Vec<&Template> = after
        .conditions
        .iter()
        .zip(&truths)
        .filter(|(_, value)| value.is_none())
        .map(|(template, _)| template)
        .collect();
    let results = run.ask_child(account, outputs, &pending).await?;
    let mut results = results.into_iter();
    let mut next = || -> Result<Value, EvaluationError> {
        let json = results.next().ok_or_else(|| EvaluationError::unavailable("a result is missing"))?;
        run.effort.add_bytes(json.len())?;
        parse_result(&json)
    };
    for (key, template) in outputs {
        let value = match template.node() {
            Node::Constant(_) | Node::Placeholder(_) => build(template.node(), &mut std::iter::empty()),
            _ => next()?,
        };
        run.assigned.push(((*key).to_owned(), value));
    }
    for value in truths.iter_mut().filter(|value| value.is_none()) {
        *value = Some(next()?);
    }
    Ok(run.finish(truths.into_iter().flatten()))
}

/// The outputs without those that are ignored: reserved keys, and the Builder's placeholders for keys that
/// exist.
fn outputs_to_assign<'a>(after: &'a After, data: &Map<String, Value>) -> Vec<(&'a str, &'a Template)> {
    let mut outputs: Vec<(&str, &Template)> = Vec::with_capacity(after.outputs.len());
    for (key, template) in &after.outputs {
        let exists = || data.contains_key(key) || outputs.iter().any(|(earlier, _)| earlier == key);
        let is_ignored =
            RESERVED.contains(&key.as_str()) || (matches!(template.node(), Node::Placeholder(_)) && exists());
        if !is_ignored {
            outputs.push((key, template));
        }
    }
    outputs
}

struct Run<'a> {
    evaluator: &'a Evaluator,
    data: &'a Map<String, Value>,
    step: &'a Value,
    assigned: Vec<(String, Value)>,
    effort: Effort,
}

impl Run<'_> {
    /// Assigns outputs until one needs a child, and answers how many.
    fn assign_at_once(&mut self, outputs: &[(&str, &Template)]) -> Result<usize, EvaluationError> {
        for (at, (key, template)) in outputs.iter().enumerate() {
            let Some(value) = self.value_at_once(template)? else {
                return Ok(at);
            };
            self.assigned.push(((*key).to_owned(), value));
        }
        Ok(outputs.len())
    }

    fn value_at_once(&mut self, template: &Template) -> Result<Option<Value>, EvaluationError> {
        let scope = Scope { data: self.data, assigned: &self.assigned, step: self.step };
        let mut leaves = Vec::new();
        collect_leaves(template.node(), &mut leaves);
        let mut values = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            self.effort.add_script()?;
            match self.evaluator.at_once(leaf, scope, || template.whole().0)? {
                Some((value, bytes)) => {
                    self.effort.add_bytes(bytes)?;
                    values.push(value);
                }
                None => return Ok(None),
            }
        }
        let mut value = build(template.node(), &mut values.into_iter());
        if matches!(template.node(), Node::Array(_) | Node::Object(_)) {
            // In a child it is one result; so it is here.
            measure(&value, &self.evaluator.limits)
                .map_err(|excess| EvaluationError::in_script(&excess.to_string(), template.whole().0))?;
            value = copy_as_javascript(&value);
        }
        Ok(Some(value))
    }

    async fn ask_child(
        &self,
        account: &str,
        outputs: &[(&str, &Template)],
        conditions: &[&Template],
    ) -> Result<Vec<Vec<u8>>, EvaluationError> {
        let is_call =
            |template: &Template| !matches!(template.node(), Node::Constant(_) | Node::Placeholder(_));
        let scripts: Vec<&Script> = outputs
            .iter()
            .map(|(_, template)| *template)
            .filter(|template| is_call(template))
            .chain(conditions.iter().copied())
            .map(|template| template.whole().0)
            .collect();
        let frame = |known: &HashSet<u64>| {
            let data = AssignedData { data: self.data, assigned: &self.assigned };
            let mut frame = EvaluateFrame::new(account, &data, self.step, known);
            for (key, template) in outputs {
                if is_call(template) {
                    let (script, mode) = template.whole();
                    frame.call(script, mode, Some(key));
                } else {
                    frame.assign(key, &build(template.node(), &mut std::iter::empty()));
                }
            }
            for condition in conditions {
                let (script, mode) = condition.whole();
                frame.call(script, mode, None);
            }
            frame.finish()
        };
        self.evaluator.pool.evaluate(account, &scripts, frame).await
    }

    fn finish(self, truths: impl Iterator<Item = Value>) -> AfterResult {
        AfterResult { assigned: self.assigned, truths: truths.map(|value| truth(&value)).collect() }
    }
}
