//! `GET /definitions` (spec 2.2).

use axum::extract::State;
use axum::response::Response;
use trunkline_store::definitions::{Readable, VersionKey};
use trunkline_store::page::Listed;
use trunkline_workflow::AccountId;
use utoipa::IntoParams;

use super::input_schema::Status;
use super::view::DefinitionView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::listed::{self, Portion};
use crate::api::page::{self, PageParams};
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct Filter {
    /// Extension: only definitions whose newest version has this status.
    #[param(inline, value_type = Option<Status>)]
    status: Option<Status>,
}

/// List definitions
///
/// The newest version of each, enabled or not; the definition created last comes first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/definitions",
    operation_id = "get-all-definitions",
    tag = "Definitions",
    params(Account, PageParams, Filter),
    responses(
        (status = 200, description = "A page of them.", body = Vec<DefinitionView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    Account(account): Account,
    query: Query,
) -> Result<Response, ApiError> {
    let page = page::read(&query)?;
    let enabled = query.read("status", |text| match text.to_ascii_lowercase().as_str() {
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => None,
    })?;
    let definitions = state.store.list_definitions(&account, enabled, page).await?;
    answer(definitions, state, account).await
}

/// Of this list or that of a definition's versions.
pub(super) async fn answer(
    listed: Vec<Listed<VersionKey>>,
    state: ApiState,
    account: AccountId,
) -> Result<Response, ApiError> {
    let load = move |keys: Vec<VersionKey>| {
        let (store, account) = (state.store.clone(), account.clone());
        async move {
            let Readable { definitions, left_out } = store.get_versions(&account, &keys).await?;
            let items = definitions.into_iter().map(DefinitionView::new).collect::<Result<Vec<_>, _>>()?;
            Ok(Portion { items, left_out: left_out.map(ApiError::from) })
        }
    };
    listed::answer(listed, load).await
}
