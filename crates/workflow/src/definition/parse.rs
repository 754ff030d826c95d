//! The two ways to ask: what can be saved, or all that is wrong.

use super::check_envelope::check_envelope;
use super::input::{DefinitionInput, Extras, steps_as_submitted};
use super::pointer::Pointer;
use super::problem::{Problem, Problems};
use super::scripts::CheckScripts;
use super::warn_about_steps::warn_about_steps;
use crate::strict_json::{Malformed, read_object};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// No JSON object at all: code 1000.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Breaks one of V1–V15, or what we ask besides: code 5001.
    #[error("{0}")]
    Invalid(String),
}

/// Reads and checks the body of a create or update request.
pub fn parse(body: &[u8], check: CheckScripts) -> Result<DefinitionInput, DefinitionError> {
    let envelope = read_object(body)?;
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
        (_, problem) => Err(DefinitionError::Invalid(
            problem.expect("whatever is not checked through is a problem").message,
        )),
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
        Err(flaw) => {
            let problem = Problem::error(flaw.to_string(), &Pointer::BODY);
            let Malformed { detail, line, column } = flaw;
            problems.push(Problem { line, column, detail: Some(detail), ..problem });
        }
    }
    problems.into_vec()
}
