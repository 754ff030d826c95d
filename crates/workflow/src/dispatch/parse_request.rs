//! From a body to what it asks for (Dispatch 4.1, 4.8).

use serde_json::{Map, Value};

use super::check_message::{Checked, Position, check_message};
use super::message::{Dispatch, Message};
use super::place::Place;
use super::problems::{Problems, given};
use super::read_body::read_body;
use super::request_error::RequestError;
use super::rules::Rules;

const TEMPLATE: &str = "failover";

/// The request to start a workflow, by the default rules.
pub fn parse(body: &[u8]) -> Result<Dispatch, RequestError> {
    parse_with(body, Rules::default())
}

pub fn parse_with(body: &[u8], rules: Rules) -> Result<Dispatch, RequestError> {
    read_dispatch(read_body(body)?, rules)
}

/// The messages that a definition fails over between: what a request's `workflow` is.
pub fn parse_workflow(workflow: Value, rules: Rules) -> Result<Dispatch, RequestError> {
    let template = ("template".to_owned(), TEMPLATE.into());
    read_dispatch(Map::from_iter([template, ("workflow".to_owned(), workflow)]), rules)
}

fn read_dispatch(mut body: Map<String, Value>, rules: Rules) -> Result<Dispatch, RequestError> {
    drop_trailing_nulls(&mut body);
    let mut problems = Problems::default();
    let template = Place::Body.member("template");
    if let Some(name) = problems.required(given(&body, "template"), &template) {
        problems.word(name, &template, &[TEMPLATE]);
    }
    let checked = check_workflow(&body, rules, &mut problems);
    problems.finish(&body)?;

    let steps = body.get_mut("workflow").and_then(Value::as_array_mut).map(std::mem::take);
    let messages = steps.into_iter().flatten().zip(checked).filter_map(|(step, checked)| match step {
        Value::Object(step) => Some(Message::new(step, checked)),
        _ => None,
    });
    Ok(Dispatch { template: TEMPLATE.to_owned(), messages: messages.collect() })
}

/// The request to send one message.
pub fn parse_message(body: &[u8]) -> Result<Message, RequestError> {
    let body = read_body(body)?;
    let mut problems = Problems::default();
    let checked = check_message(&body, Position::Last, &Place::Body, &mut problems);
    problems.finish(&body)?;
    Ok(Message::new(body, checked.expect("without a problem every part was understood")))
}

/// The official samples pass a callback as the last step; a function becomes null (U1).
fn drop_trailing_nulls(body: &mut Map<String, Value>) {
    if let Some(Value::Array(steps)) = body.get_mut("workflow") {
        let rest = steps.iter().rposition(|step| !step.is_null()).map_or(0, |last| last + 1);
        steps.truncate(rest);
    }
}

/// One for each step, if there are no problems.
fn check_workflow(body: &Map<String, Value>, rules: Rules, problems: &mut Problems) -> Vec<Checked> {
    let place = Place::Body.member("workflow");
    let Some(steps) = problems.required(given(body, "workflow"), &place) else { return Vec::new() };
    let Some(steps) = steps.as_array() else {
        problems.add(&place, "must be an array");
        return Vec::new();
    };
    if steps.is_empty() {
        problems.add(&place, "must have at least one step");
    } else if steps.len() > rules.most_steps {
        problems.add(&place, format!("must have at most {} steps", rules.most_steps));
    }
    let check = |(index, step)| {
        let place = place.item(index);
        let last = index + 1 == steps.len();
        let position = if last { Position::Last } else { Position::BeforeAnother(rules.strictness) };
        check_message(problems.object(step, &place)?, position, &place, problems)
    };
    steps.iter().take(rules.most_steps).enumerate().filter_map(check).collect()
}
