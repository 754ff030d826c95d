//! Reads and checks what a create or update request holds (spec 3.8).

use trunkline_expressions::check_scripts;
use trunkline_workflow::definition::{self, DefinitionError, DefinitionInput};

use crate::api::body::Body;
use crate::api::error::ApiError;

pub fn check_input(body: &Body) -> Result<DefinitionInput, ApiError> {
    definition::parse(&body.0, &check_scripts).map_err(|error| match error {
        DefinitionError::Malformed(flaw) => flaw.into(),
        DefinitionError::Invalid(message) => ApiError::InvalidDefinition(message),
    })
}
