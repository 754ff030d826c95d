//! `PUT …/limits`.

use axum::extract::State;
use trunkline_workflow::limits::{Flaw, Settings, read_settings};

use super::LimitsSchema;
use crate::api::auth::{Account, Author, Caller};
use crate::api::body::Body;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::json::Json;
use crate::api::state::ApiState;

/// Flaws that are told; whoever mended those may find the others.
const MOST_TOLD: usize = 10;

/// Set the limits of the account
///
/// All of them at once; an empty object limits nothing. They are in force within about a second, also for what waits
/// already; what was sent before counts.
#[utoipa::path(
    put,
    path = "/api/v1/accounts/{accountId}/limits",
    operation_id = "set-limits",
    tag = "Operations",
    params(Account),
    request_body = LimitsSchema,
    responses(
        (status = 200, description = "Set.", body = LimitsSchema),
        (status = 400, description = "They are not valid; the message names each place.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn replace(
    State(state): State<ApiState>,
    Author(Caller { account, by }): Author,
    body: Body,
) -> Result<Json<Settings>, ApiError> {
    let settings = read_settings(&body.json_object()?).map_err(|flaws| told(&flaws))?;
    state.store.set_limits(&account, &settings, &by).await?;
    Ok(Json(settings))
}

fn told(flaws: &[Flaw]) -> ApiError {
    let told: Vec<String> = flaws.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    let rest = flaws.len().saturating_sub(MOST_TOLD);
    let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    ApiError::InvalidLimits(format!("Invalid limits: {}{more}.", told.join("; ")))
}
