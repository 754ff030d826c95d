//! What is accepted (spec 3.8) and is probably not meant.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::pointer::Pointer;
use super::problem::{Problem, Problems};
use crate::graph::{Graph, Routes, StepIndex};
use crate::inputs;
use crate::step::{StepType, wait_for_dtmf};
use crate::trigger::Trigger;

/// A step as it stands in the body, in the order of the graph.
struct Written<'v> {
    members: &'v Map<String, Value>,
    path: String,
}

pub(super) fn warn_about_steps(envelope: &Map<String, Value>, problems: &mut Problems) {
    warn_about_schedule(envelope, problems);
    let Some((outer, Value::Object(definition))) = inputs::entry(envelope, "definition") else { return };
    let Some((inner, steps)) = inputs::entry(definition, "steps") else { return };
    let mut written = Vec::new();
    add_sequence(steps, &Pointer::BODY.member(outer).member(inner), &mut written);
    let graph = Graph::new(steps);
    let reached = reached(&graph);
    for (index, (step, written)) in graph.steps.iter().zip(&written).enumerate() {
        if problems.is_full() {
            return;
        }
        let here = Pointer::BODY.followed_by(&written.path);
        let mut warn = |message: &str, at: &Pointer| {
            let message = format!("Step '{}'{message}", step.id);
            problems.push(Problem::warning(message, at).of_step(&step.id));
        };
        if !reached.contains(&index) {
            warn(" is never reached.", &here);
        }
        warn_about_routes(written.members, &step.routes, &here, &mut warn);
        warn_about_members(written.members, step.step_type, &here, &mut warn);
    }
}

/// Numbers steps as [`Graph::new`] does.
fn add_sequence<'v>(steps: &'v Value, at: &Pointer, written: &mut Vec<Written<'v>>) {
    for (index, step) in steps.as_array().into_iter().flatten().enumerate() {
        let Some(members) = step.as_object() else { continue };
        let at = at.item(index);
        written.push(Written { members, path: at.to_string() });
        if step_type(members) != Some(StepType::If) {
            continue;
        }
        let Some((key, bodies)) = inputs::entry(members, "do") else { continue };
        let at = at.member(key);
        for (index, body) in bodies.as_array().into_iter().flatten().enumerate() {
            add_sequence(body, &at.item(index), written);
        }
    }
}

fn step_type(members: &Map<String, Value>) -> Option<StepType> {
    inputs::get(members, "stepType").and_then(Value::as_str).and_then(StepType::parse)
}

fn reached(graph: &Graph) -> HashSet<StepIndex> {
    let mut reached = HashSet::new();
    let mut next: Vec<StepIndex> = graph.entry().into_iter().collect();
    while let Some(index) = next.pop() {
        if !reached.insert(index) {
            continue;
        }
        let step = &graph.steps[index];
        next.extend(&step.bodies);
        match &step.routes {
            Routes::None => {}
            Routes::Next(target) => next.extend(target.map(|landing| landing.step)),
            Routes::Select(select) => {
                next.extend(select.iter().filter_map(|(_, target)| target.map(|landing| landing.step)));
            }
        }
    }
    reached
}

fn warn_about_routes(
    members: &Map<String, Value>,
    routes: &Routes,
    here: &Pointer,
    warn: &mut impl FnMut(&str, &Pointer),
) {
    let next = inputs::entry(members, "nextStepId")
        .and_then(|(key, next)| Some((key, next.as_str().filter(|next| !next.is_empty())?)));
    let nowhere = |id: &str| format!(": there is no step '{id}' to go on with; the path ends there.");
    match routes {
        Routes::None | Routes::Next(Some(_)) => {}
        Routes::Next(None) => match (next, inputs::entry(members, "inputs")) {
            (Some((key, next)), _) => warn(&nowhere(next), &here.member(key)),
            (None, Some((key, Value::Object(step_inputs)))) => {
                if let Some((name, Value::String(id))) = inputs::entry(step_inputs, "stepId") {
                    warn(&nowhere(id), &here.member(key).member(name));
                }
            }
            _ => {}
        },
        Routes::Select(targets) => {
            if let Some((key, _)) = next {
                warn(" has both nextStepId and selectNextStep; nextStepId is ignored.", &here.member(key));
            }
            let Some((key, Value::Object(select))) = inputs::entry(members, "selectNextStep") else { return };
            for (id, _) in select.keys().zip(targets).filter(|(_, (_, target))| target.is_none()) {
                warn(&nowhere(id), &here.member(key).member(id));
            }
        }
    }
}

fn warn_about_members(
    members: &Map<String, Value>,
    step_type: StepType,
    here: &Pointer,
    warn: &mut impl FnMut(&str, &Pointer),
) {
    let step_inputs = inputs::entry(members, "inputs");
    let at = step_inputs.map_or(*here, |(key, _)| here.member(key));
    let has = |name: &str| {
        step_inputs.and_then(|(_, value)| value.as_object()).is_some_and(|i| inputs::get(i, name).is_some())
    };
    if step_type == StepType::WaitForDtmf && !wait_for_dtmf::CALL.into_iter().any(has) {
        warn(": input 'dtmfRequestId' is missing; the step fails when it is run.", &at);
    }
    if step_type == StepType::If && !has("condition") {
        warn(": input 'condition' is missing; the steps in do are never run.", &at);
    }
    let is_empty = |bodies: &Value| bodies.as_array().is_some_and(Vec::is_empty);
    if let Some((key, _)) = inputs::entry(members, "do").filter(|(_, bodies)| !is_empty(bodies))
        && !step_type.shape().has_bodies
    {
        warn(": do is ignored; only an If has a body.", &here.member(key));
    }
}

fn warn_about_schedule(envelope: &Map<String, Value>, problems: &mut Problems) {
    let Some((key, _)) = inputs::entry(envelope, "schedule") else { return };
    let trigger = inputs::get(envelope, "trigger").and_then(Value::as_str).and_then(Trigger::parse);
    if let Some(trigger) = trigger.filter(|trigger| *trigger != Trigger::Schedule) {
        let message = format!("Schedule is ignored: the trigger is '{}'.", trigger.as_str());
        problems.push(Problem::warning(message, &Pointer::BODY.member(key)));
    }
}
