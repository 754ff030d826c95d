//! Reads and checks what a create or update request holds (spec 3.8).

use serde_json::Value;
use trunkline_expressions::{ScriptError, Template};
use trunkline_workflow::Graph;
use trunkline_workflow::definition::{self, DefinitionError, DefinitionInput, ScriptPlace, ScriptProblem};

use crate::api::body::Body;
use crate::api::error::ApiError;

pub fn check_input(body: &Body) -> Result<DefinitionInput, ApiError> {
    let input = definition::parse(&body.0, &check_scripts).map_err(|error| match error {
        DefinitionError::Malformed => ApiError::InvalidBody,
        DefinitionError::Invalid(message) => ApiError::InvalidDefinition(message),
    })?;
    refuse_nul(&input)?;
    Ok(input)
}

fn check_scripts(place: ScriptPlace, value: &Value) -> Result<(), ScriptProblem> {
    let compiled = match place {
        ScriptPlace::Inputs => Template::compile(value),
        ScriptPlace::Output => Template::compile_output(value),
        ScriptPlace::Condition => Template::compile_condition(value),
    };
    compiled.map(drop).map_err(|error| match error {
        ScriptError::TooLong => ScriptProblem::TooLong,
        ScriptError::Invalid(_) => ScriptProblem::Invalid,
    })
}

/// Names become text of their own in the database, which cannot hold this character.
fn refuse_nul(input: &DefinitionInput) -> Result<(), ApiError> {
    let refuse = |what: &str| Err(ApiError::InvalidDefinition(format!("{what} has a NUL character.")));
    if input.name.contains('\0') {
        return refuse("Workflow name");
    }
    if input.subaccount.as_ref().is_some_and(|id| id.contains('\0')) {
        return refuse("subAccountId");
    }
    let steps: Value = serde_json::from_str(&input.steps)?;
    if Graph::new(&steps).steps.iter().any(|step| step.id.contains('\0')) {
        return refuse("Step id");
    }
    Ok(())
}
