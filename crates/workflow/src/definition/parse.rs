//! The two ways to ask: what can be saved, or all that is wrong.

use serde_json::{Map, Value};

use super::check_envelope::check_envelope;
use super::input::{DefinitionInput, Extras, steps_as_submitted};
use super::pointer::Pointer;
use super::problem::{Problem, Problems};
use super::scripts::CheckScripts;
use super::warn_about_steps::warn_about_steps;

const MALFORMED: &str = "Invalid request body.";

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// No JSON object at all: code 1000.
    #[error("{MALFORMED}")]
    Malformed,
    /// Breaks one of V1–V15, or what we ask besides: code 5001.
    #[error("{0}")]
    Invalid(String),
}

/// Reads and checks the body of a create or update request.
pub fn parse(body: &[u8], check: CheckScripts) -> Result<DefinitionInput, DefinitionError> {
    let envelope = read_object(body).map_err(|_| DefinitionError::Malformed)?;
    let mut problems = Problems::first();
    let checked = check_envelope(&envelope, check, &mut problems);
    match (checked, problems.into_first()) {
        (Some(checked), None) => Ok(DefinitionInput {
            subaccount: checked.subaccount.map(str::to_owned),
            trigger: checked.trigger,
            schedule: checked.schedule,
            enabled: checked.enabled,
            name: checked.name.to_owned(),
            steps: steps_as_submitted(body, checked.steps).unwrap_or_else(|| checked.steps.to_string()),
            extras: Extras::of(&envelope, checked.definition),
        }),
        (_, problem) => {
            Err(problem
                .map_or(DefinitionError::Malformed, |problem| DefinitionError::Invalid(problem.message)))
        }
    }
}

/// All problems of such a body, errors before warnings.
pub fn check(body: &[u8], check: CheckScripts) -> Vec<Problem> {
    let mut problems = Problems::all();
    match read_object(body) {
        Ok(envelope) => {
            check_envelope(&envelope, check, &mut problems);
            warn_about_steps(&envelope, &mut problems);
        }
        Err(problem) => problems.push(*problem),
    }
    problems.into_vec()
}

fn read_object(body: &[u8]) -> Result<Map<String, Value>, Box<Problem>> {
    let malformed = || Problem::error(MALFORMED, &Pointer::BODY);
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Box::new(Problem { detail: Some("It is no JSON object.".to_owned()), ..malformed() })),
        Err(error) => Err(Box::new(Problem {
            line: Some(error.line()).filter(|line| *line > 0),
            column: column(body, &error),
            detail: Some(words(&error)),
            ..malformed()
        })),
    }
}

/// The parser counts bytes, people count characters.
fn column(body: &[u8], error: &serde_json::Error) -> Option<usize> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let bytes = error.column().min(line.len());
    Some(String::from_utf8_lossy(&line[..bytes]).chars().count()).filter(|column| *column > 0)
}

/// Without the place.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map(|(words, _)| words.to_owned()).unwrap_or(text)
}
