//! What a client submits as a definition, checked (spec 3.1, 3.8).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::HashSet;

use crate::inputs;
use crate::step::StepType;
use crate::timespan;
use crate::trigger::Trigger;

/// U-08.
const MAX_STEPS: usize = 500;
const MAX_DEPTH: usize = 10;
/// U-10, U-11, in characters.
const MAX_NAME: usize = 255;

/// A checked definition, ready to be saved as a version.
#[derive(Debug, Clone)]
pub struct DefinitionInput {
    pub subaccount: Option<String>,
    pub trigger: Trigger,
    pub enabled: bool,
    pub name: String,
    /// The steps' JSON as submitted, for the echo (U-75).
    pub steps: String,
    pub extras: Extras,
}

/// Members that we do not know, kept for the echo (spec 2.1). As JSON they stand where the request has them,
/// so that they are nested no deeper than what was read once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// Members of `definition`.
    #[serde(default)]
    pub definition: Map<String, Value>,
    /// Members next to `definition`.
    #[serde(flatten)]
    pub envelope: Map<String, Value>,
}

/// What we know, or set ourselves, next to `definition` and in it.
const IN_ENVELOPE: [&str; 8] =
    ["accountId", "subAccountId", "trigger", "status", "id", "version", "createdAt", "definition"];
const IN_DEFINITION: [&str; 4] = ["id", "version", "name", "steps"];

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// No JSON object at all: code 1000.
    #[error("Invalid request body.")]
    Malformed,
    /// Breaks one of V1–V15: code 5001.
    #[error("{0}")]
    Invalid(String),
}

/// Why a script cannot be saved (V13, V14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptProblem {
    TooLong,
    Invalid,
}

/// Checks the scripts of one value; handed in because this crate knows no JavaScript.
pub type CheckScripts<'a> = &'a dyn Fn(ScriptPlace, &Value) -> Result<(), ScriptProblem>;

/// Where scripts stand (spec 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptPlace {
    Inputs,
    Output,
    Condition,
}

/// Reads and checks the body of a create or update request.
pub fn parse(body: &[u8], check: CheckScripts) -> Result<DefinitionInput, DefinitionError> {
    let envelope: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| DefinitionError::Malformed)?;
    let Some(Value::Object(definition)) = inputs::get(&envelope, "definition") else {
        return Err(invalid("Workflow definition is required."));
    };
    let name = inputs::get(definition, "name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| invalid("Workflow name is required."))?;
    if name.chars().count() > MAX_NAME {
        return Err(invalid("Workflow name is longer than 255 characters."));
    }
    let steps =
        inputs::get(definition, "steps").filter(|steps| steps.as_array().is_some_and(|s| !s.is_empty()));
    let steps = steps.ok_or_else(|| invalid("Workflow steps are required."))?;
    let trigger = match inputs::get(&envelope, "trigger") {
        None => return Err(invalid("Trigger is required.")),
        Some(value) => one_of(value, "Trigger", Trigger::parse)?,
    };
    let enabled = match inputs::get(&envelope, "status") {
        None => false,
        Some(value) => one_of(value, "Status", parse_status)?,
    };
    let subaccount = match inputs::get(&envelope, "subAccountId") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(invalid("subAccountId must be a string.")),
    };
    Checker { check, count: 0 }.sequence(steps, 1)?;
    Ok(DefinitionInput {
        subaccount,
        trigger,
        enabled,
        name: name.to_owned(),
        steps: steps_as_submitted(body).unwrap_or_else(|| steps.to_string()),
        extras: Extras {
            definition: others(definition, &IN_DEFINITION),
            envelope: others(&envelope, &IN_ENVELOPE),
        },
    })
}

fn invalid(message: impl Into<String>) -> DefinitionError {
    DefinitionError::Invalid(message.into())
}

fn one_of<T>(value: &Value, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, DefinitionError> {
    value.as_str().and_then(parse).ok_or_else(|| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        invalid(format!("{what} '{shown}' is not supported."))
    })
}

fn parse_status(text: &str) -> Option<bool> {
    [("enabled", true), ("disabled", false)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, enabled)| enabled)
}

/// The text between the brackets of `steps`, so that numbers keep their spelling.
fn steps_as_submitted(body: &[u8]) -> Option<String> {
    type Members<'a> = BTreeMap<String, &'a RawValue>;
    fn member<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
        members
            .get(name)
            .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, raw)| raw))
            .copied()
    }
    let envelope: Members = serde_json::from_slice(body).ok()?;
    let definition: Members = serde_json::from_str(member(&envelope, "definition")?.get()).ok()?;
    let steps = member(&definition, "steps")?.get();
    // Two members of one name would make the checked value and the text differ.
    serde_json::from_str::<Value>(steps).ok().filter(Value::is_array).map(|_| steps.to_owned())
}

fn others(members: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let unknown = |key: &String| !known.iter().any(|name| name.eq_ignore_ascii_case(key));
    members.iter().filter(|(key, _)| unknown(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

struct Checker<'a> {
    check: CheckScripts<'a>,
    count: usize,
}

impl Checker<'_> {
    fn sequence(&mut self, steps: &Value, depth: usize) -> Result<(), DefinitionError> {
        if depth > MAX_DEPTH {
            return Err(invalid("Workflow steps are nested deeper than 10 levels."));
        }
        let mut ids = HashSet::new();
        for step in steps.as_array().into_iter().flatten() {
            self.count += 1;
            if self.count > MAX_STEPS {
                return Err(invalid("Workflow has more than 500 steps."));
            }
            let id = self.step(step, depth)?;
            if !ids.insert(id) {
                return Err(invalid(format!("Duplicate step id '{id}'.")));
            }
        }
        Ok(())
    }

    fn step<'v>(&mut self, step: &'v Value, depth: usize) -> Result<&'v str, DefinitionError> {
        let empty = Map::new();
        let members = step.as_object().unwrap_or(&empty);
        let id = inputs::get(step.as_object().ok_or_else(|| invalid("Step id is required."))?, "id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| invalid("Step id is required."))?;
        if id.chars().count() > MAX_NAME {
            return Err(invalid(format!("Step id '{id}' is longer than 255 characters.")));
        }
        let step_type = match inputs::get(members, "stepType") {
            None => StepType::Sms,
            Some(value) => one_of(value, "Step type", StepType::parse)?,
        };
        let object = |name: &str| match inputs::get(members, name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(invalid(format!("Step '{id}': {name} must be an object."))),
        };
        let step_inputs = object("inputs")?;
        self.inputs(id, step_type, step_inputs.unwrap_or(&empty))?;
        let select = object("selectNextStep")?;
        if step_type.shape().must_route && select.is_none_or(Map::is_empty) {
            return Err(invalid(format!("Step '{id}': selectNextStep is required.")));
        }
        if inputs::get(members, "nextStepId").is_some_and(|next| !next.is_string()) {
            return Err(invalid(format!("Step '{id}': nextStepId must be a string.")));
        }
        for output in object("outputs")?.into_iter().flat_map(Map::values) {
            self.scripts(id, ScriptPlace::Output, output)?;
        }
        for condition in select.into_iter().flat_map(Map::values).filter(|c| !c.is_null()) {
            self.scripts(id, ScriptPlace::Condition, condition)?;
        }
        if step_type == StepType::If {
            self.bodies(id, inputs::get(members, "do"), depth)?;
        }
        Ok(id)
    }

    fn inputs(
        &self,
        id: &str,
        step_type: StepType,
        step_inputs: &Map<String, Value>,
    ) -> Result<(), DefinitionError> {
        let shape = step_type.shape();
        for name in shape.required {
            if inputs::get(step_inputs, name).is_none() {
                return Err(invalid(format!("Step '{id}': input '{name}' is required.")));
            }
        }
        for value in shape.timespans.iter().filter_map(|name| inputs::get(step_inputs, name)) {
            if !is_expression(value) && timespan::from_value(value).is_err() {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                return Err(invalid(format!("Step '{id}': invalid timespan '{shown}'.")));
            }
        }
        if step_type == StepType::If
            && let Some(condition) = inputs::get(step_inputs, "condition")
        {
            self.scripts(id, ScriptPlace::Condition, condition)?;
        }
        for value in step_inputs.values() {
            self.scripts(id, ScriptPlace::Inputs, value)?;
        }
        for (name, choices) in shape.choices {
            let Some(value) = inputs::get(step_inputs, name).filter(|value| !is_expression(value)) else {
                continue;
            };
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !choices.iter().any(|choice| choice.eq_ignore_ascii_case(&shown)) {
                return Err(invalid(format!("Step '{id}': {name} '{shown}' is not supported.")));
            }
        }
        Ok(())
    }

    fn bodies(&mut self, id: &str, bodies: Option<&Value>, depth: usize) -> Result<(), DefinitionError> {
        let wrong = || invalid(format!("Step '{id}': do must be an array of arrays of steps."));
        for body in bodies.map(|b| b.as_array().ok_or_else(wrong)).transpose()?.into_iter().flatten() {
            if !body.is_array() {
                return Err(wrong());
            }
            self.sequence(body, depth + 1)?;
        }
        Ok(())
    }

    fn scripts(&self, id: &str, place: ScriptPlace, value: &Value) -> Result<(), DefinitionError> {
        (self.check)(place, value).map_err(|problem| {
            let what = match problem {
                ScriptProblem::TooLong => "script exceeds 1000 characters.",
                ScriptProblem::Invalid => "invalid script.",
            };
            invalid(format!("Step '{id}': {what}"))
        })
    }
}

/// A text with `{{` is left for run time.
fn is_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{"))
}
