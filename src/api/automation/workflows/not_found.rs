//! Which of the two in the path is missing.

use trunkline_workflow::AccountId;

use crate::api::error::ApiError;
use crate::api::path::InstancePath;
use crate::api::state::ApiState;

/// The error for an instance that was not found under the definition in the path.
pub async fn not_found(state: &ApiState, account: &AccountId, path: &InstancePath) -> ApiError {
    match state.store.definition_exists(account, path.definition).await {
        Ok(true) => ApiError::WorkflowNotFound(path.instance),
        Ok(false) => ApiError::DefinitionNotFound(path.definition),
        Err(error) => error.into(),
    }
}
