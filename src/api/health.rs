//! Whether this process lives, and whether it can serve.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::json::Json;
use super::state::ApiState;

#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// The process answers
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "Health",
    security(()),
    responses((status = 200, description = "It does.", body = Health))
)]
pub async fn healthz() -> Json<Health> {
    OK
}

/// The database is reachable and migrated, and this server has its master key
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "Health",
    security(()),
    responses(
        (status = 200, description = "It is.", body = Health),
        (status = 503, description = "It is not.", body = ErrorBody,
         headers(("Retry-After" = i32, description = "Seconds"))),
    )
)]
pub async fn readyz(State(state): State<ApiState>) -> Result<Json<Health>, ApiError> {
    state.store.check_ready().await.map_err(ApiError::NotReady)?;
    Ok(OK)
}
