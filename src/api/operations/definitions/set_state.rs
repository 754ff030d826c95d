//! What pausing, draining and resuming have in common.

use trunkline_store::limits::DefinitionState;

use super::view::StateView;
use crate::api::auth::Caller;
use crate::api::error::ApiError;
use crate::api::json::Json;
use crate::api::path::DefinitionPath;
use crate::api::state::ApiState;

pub(super) async fn set_state(
    api: &ApiState,
    Caller { account, by }: Caller,
    path: &DefinitionPath,
    state: DefinitionState,
) -> Result<Json<StateView>, ApiError> {
    let id = path.of_customers()?;
    let changed = api.store.set_definition_state(&account, id, state, &by).await?;
    let changed = changed.ok_or(ApiError::DefinitionNotFound(id))?;
    Ok(Json(StateView::new(id, changed)))
}
