//! The steps (spec 3.2–3.7; V7–V15).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::check_envelope::{one_of, shown, spelling};
use super::pointer::Pointer;
use super::problem::{Problem, Problems};
use super::scripts::{CheckScripts, ScriptFlaw, ScriptPlace};
use crate::inputs;
use crate::retry::RetryPolicy;
use crate::step::{Input, Kind, StepType};
use crate::timespan;

/// U-08.
const MAX_STEPS: usize = 500;
const MAX_DEPTH: usize = 10;
/// U-10, U-11, in characters.
pub(super) const MAX_NAME: usize = 255;

pub(super) struct StepChecker<'a> {
    check: CheckScripts<'a>,
    problems: &'a mut Problems,
    count: usize,
}

/// A step that is being checked.
struct Place<'a> {
    id: &'a str,
    at: &'a Pointer<'a>,
}

impl<'a> StepChecker<'a> {
    pub(super) fn new(check: CheckScripts<'a>, problems: &'a mut Problems) -> Self {
        Self { check, problems, count: 0 }
    }

    pub(super) fn sequence(&mut self, steps: &Value, at: &Pointer, depth: usize) {
        if depth > MAX_DEPTH {
            self.problems.error("Workflow steps are nested deeper than 10 levels.", at);
            return;
        }
        let mut ids = HashSet::new();
        for (index, step) in steps.as_array().into_iter().flatten().enumerate() {
            let at = at.item(index);
            if self.count == MAX_STEPS {
                self.problems.error("Workflow has more than 500 steps.", &at);
            }
            self.count += 1;
            if self.count > MAX_STEPS || self.problems.is_full() {
                return;
            }
            let id = self.step(step, &at, depth);
            if let Some(id) = id.filter(|id| !ids.insert(*id)) {
                let at = at.member(spelling(step, "id"));
                self.problems.push(Problem::error(format!("Duplicate step id '{id}'."), &at).of_step(id));
            }
        }
    }

    /// Answers its id.
    fn step<'v>(&mut self, step: &'v Value, at: &Pointer, depth: usize) -> Option<&'v str> {
        let Some(members) = step.as_object() else {
            self.problems.error("Step id is required.", at);
            return None;
        };
        let id = inputs::get(members, "id").and_then(Value::as_str).filter(|id| !id.is_empty());
        self.id(id, &at.member(spelling(step, "id")));
        let place = Place { id: id.unwrap_or_default(), at };
        let step_type = match inputs::entry(members, "stepType") {
            None => Some(StepType::Sms),
            Some((key, value)) => one_of(value, "Step type", StepType::parse)
                .map_err(|message| self.report(&place, message, &at.member(key)))
                .ok(),
        };
        let step_inputs = self.object(&place, members, "inputs");
        self.inputs(&place, step_type, step_inputs);
        let select = self.object(&place, members, "selectNextStep");
        let must_route = step_type.is_some_and(|step_type| step_type.shape().must_route);
        if must_route && select.is_none_or(|(_, select)| select.is_empty()) {
            let at = at.member(select.map_or("selectNextStep", |(key, _)| key));
            self.of_step(&place, "selectNextStep is required.", &at);
        }
        if let Some((key, _)) = inputs::entry(members, "nextStepId").filter(|(_, next)| !next.is_string()) {
            self.of_step(&place, "nextStepId must be a string.", &at.member(key));
        }
        if let Some((key, outputs)) = self.object(&place, members, "outputs") {
            let at = at.member(key);
            for (name, output) in outputs {
                self.scripts(&place, ScriptPlace::Output, output, &at.member(name));
            }
        }
        if let Some((key, select)) = select {
            let at = at.member(key);
            for (name, condition) in select.iter().filter(|(_, condition)| !condition.is_null()) {
                self.scripts(&place, ScriptPlace::Condition, condition, &at.member(name));
            }
        }
        self.retry(&place, members);
        if step_type.is_some_and(|step_type| step_type.shape().has_bodies) {
            self.bodies(&place, members, depth);
        }
        id
    }

    fn id(&mut self, id: Option<&str>, at: &Pointer) {
        match id {
            None => self.problems.error("Step id is required.", at),
            Some(id) if id.chars().count() > MAX_NAME => {
                let message = format!("Step id '{id}' is longer than 255 characters.");
                self.problems.push(Problem::error(message, at).of_step(id));
            }
            Some(_) => {}
        }
    }

    /// The member, with its name as it is spelled; of another type than an object it is reported.
    fn object<'v>(
        &mut self,
        place: &Place,
        members: &'v Map<String, Value>,
        name: &str,
    ) -> Option<(&'v str, &'v Map<String, Value>)> {
        let (key, value) = inputs::entry(members, name)?;
        if !value.is_object() {
            self.of_step(place, &format!("{name} must be an object."), &place.at.member(key));
        }
        value.as_object().map(|members| (key, members))
    }

    fn inputs(
        &mut self,
        place: &Place,
        step_type: Option<StepType>,
        step_inputs: Option<(&str, &Map<String, Value>)>,
    ) {
        let empty = Map::new();
        let (key, members) = step_inputs.unwrap_or(("inputs", &empty));
        let at = place.at.member(key);
        let known = step_type.map(|step_type| step_type.shape().inputs).unwrap_or_default();
        for input in known.iter().filter(|input| input.required && inputs::get(members, input.name).is_none())
        {
            self.of_step(place, &format!("input '{}' is required.", input.name), &at.member(input.name));
        }
        let given = |is_wanted: fn(&Kind) -> bool| {
            known.iter().filter(move |input| is_wanted(&input.kind)).filter_map(|input: &Input| {
                inputs::entry(members, input.name).map(|(key, value)| (input, key, value))
            })
        };
        for (_, key, value) in given(|kind| matches!(kind, Kind::Timespan)) {
            if !is_expression(value) && timespan::from_value(value).is_err() {
                self.of_step(place, &format!("invalid timespan '{}'.", shown(value)), &at.member(key));
            }
        }
        let mut condition = None;
        for (_, key, value) in given(|kind| matches!(kind, Kind::Condition)) {
            self.scripts(place, ScriptPlace::Condition, value, &at.member(key));
            // As a text it was checked with that.
            condition = value.is_string().then_some(key);
        }
        for (name, value) in members.iter().filter(|(name, _)| Some(name.as_str()) != condition) {
            self.scripts(place, ScriptPlace::Inputs, value, &at.member(name));
        }
        for (input, key, value) in given(|kind| matches!(kind, Kind::Choice(_))) {
            let Kind::Choice(choices) = input.kind else { continue };
            let shown = shown(value);
            if !is_expression(value) && !choices.iter().any(|choice| choice.eq_ignore_ascii_case(&shown)) {
                let message = format!("{} '{shown}' is not supported.", input.name);
                self.of_step(place, &message, &at.member(key));
            }
        }
        for (input, key, value) in given(|kind| matches!(kind, Kind::Several(_))) {
            let Kind::Several(known) = input.kind else { continue };
            self.several(place, (input.name, known), value, &at.member(key));
        }
    }

    /// One of the known texts, or some of them. Expressions among them are left for run time.
    fn several(&mut self, place: &Place, (name, known): (&str, &[&str]), value: &Value, at: &Pointer) {
        let given = match value {
            Value::Array(values) if !values.is_empty() => values.as_slice(),
            Value::String(_) => std::slice::from_ref(value),
            _ => &[],
        };
        if given.is_empty() || !given.iter().all(Value::is_string) {
            self.of_step(place, &format!("{name} must be a text or an array of texts."), at);
            return;
        }
        for value in given.iter().filter(|value| !is_expression(value)) {
            let shown = shown(value);
            if !known.iter().any(|known| known.eq_ignore_ascii_case(shown.trim())) {
                self.of_step(place, &format!("{name} '{shown}' is not supported."), at);
            }
        }
    }

    fn retry(&mut self, place: &Place, members: &Map<String, Value>) {
        let Some((key, retry)) = inputs::entry(members, "retry") else { return };
        let at = place.at.member(key);
        for flaw in RetryPolicy::read(retry).err().into_iter().flatten() {
            let name = flaw.member.map(|name| spelling(retry, name));
            let at = name.map_or(at, |name| at.member(name));
            self.of_step(place, &flaw.message, &at);
        }
    }

    fn bodies(&mut self, place: &Place, members: &Map<String, Value>, depth: usize) {
        const WRONG: &str = "do must be an array of arrays of steps.";
        let Some((key, bodies)) = inputs::entry(members, "do") else { return };
        let at = place.at.member(key);
        let Some(bodies) = bodies.as_array() else {
            self.of_step(place, WRONG, &at);
            return;
        };
        for (index, body) in bodies.iter().enumerate() {
            let at = at.item(index);
            if body.is_array() {
                self.sequence(body, &at, depth + 1);
            } else {
                self.of_step(place, WRONG, &at);
            }
            if self.problems.is_full() || self.count > MAX_STEPS {
                return;
            }
        }
    }

    fn scripts(&mut self, place: &Place, kind: ScriptPlace, value: &Value, at: &Pointer) {
        if self.problems.is_full() {
            return;
        }
        for found in (self.check)(kind, value) {
            let what = match found.flaw {
                ScriptFlaw::TooLong => "script exceeds 1000 characters.",
                ScriptFlaw::Invalid => "invalid script.",
            };
            let message = format!("Step '{}': {what}", place.id);
            self.problems.push(Problem {
                column: Some(found.column),
                detail: Some(found.detail),
                ..Problem::error(message, &at.followed_by(&found.path)).of_step(place.id)
            });
        }
    }

    fn of_step(&mut self, place: &Place, message: &str, at: &Pointer) {
        self.report(place, format!("Step '{}': {message}", place.id), at);
    }

    fn report(&mut self, place: &Place, message: String, at: &Pointer) {
        self.problems.push(Problem::error(message, at).of_step(place.id));
    }
}

/// A text with `{{` is left for run time.
fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{"))
}
