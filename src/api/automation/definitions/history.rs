//! `GET /definitions/{definitionId}` (spec 2.4).

use axum::extract::State;
use axum::response::Response;

use super::list;
use super::view::DefinitionView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::page::{self, PageParams};
use crate::api::path::DefinitionPath;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// List a definition's versions
///
/// The newest first. A definition that does not exist has none.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions/{definitionId}",
    operation_id = "get-specific-definition",
    tag = "Definitions",
    params(Account, DefinitionPath, PageParams),
    responses(
        (status = 200, description = "A page of them.", body = Vec<DefinitionView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn history(
    State(state): State<ApiState>,
    Account(account): Account,
    path: DefinitionPath,
    query: Query,
) -> Result<Response, ApiError> {
    let page = page::read(&query)?;
    let versions = state.store.definition_history(&account, path.definition, page).await?;
    list::answer(versions, state, account).await
}
