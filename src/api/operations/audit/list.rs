//! `GET …/audit`: who did what to what, when and why.

use axum::extract::State;
use trunkline_store::audit::AuditFilter;
use utoipa::IntoParams;

use super::view::AuditEntryView;
use crate::api::auth::Account;
use crate::api::error::{AccountErrors, ApiError, ErrorBody};
use crate::api::json::Json;
use crate::api::page;
use crate::api::query::Query;
use crate::api::state::ApiState;

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `list` reads")]
pub struct Filter {
    /// Only this action.
    #[param(example = "definition.update", min_length = 1)]
    action: Option<String>,
    /// Only what was done to this.
    #[param(min_length = 1)]
    object: Option<String>,
    /// Only older lines: the `id` of the last one of the page before.
    #[param(minimum = 1)]
    before: Option<i64>,
    /// How many lines to return at most.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<i64>,
}

/// List what was done
///
/// Newest first. Nothing in it is ever changed or removed. Starts of instances are not in it: they have lists of their
/// own.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{accountId}/audit",
    operation_id = "list-audit",
    tag = "Operations",
    params(Account, Filter),
    responses(
        (status = 200, description = "A page of it.", body = Vec<AuditEntryView>),
        (status = 400, description = "A parameter is invalid.", body = ErrorBody),
        AccountErrors,
    )
)]
pub async fn list(
    State(state): State<ApiState>,
    Account(account): Account,
    query: Query,
) -> Result<Json<Vec<AuditEntryView>>, ApiError> {
    let word = |text: &str| (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned());
    let filter = AuditFilter {
        action: query.read("action", word)?,
        object: query.read("object", word)?,
        before: query.read("before", |text| text.parse().ok().filter(|id| *id >= 1))?,
    };
    let limit = page::read(&query)?.limit;
    let entries = state.store.list_audit(&account, &filter, limit).await?;
    Ok(Json(entries.into_iter().map(AuditEntryView::try_from).collect::<Result<_, _>>()?))
}
