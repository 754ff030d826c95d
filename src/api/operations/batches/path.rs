//! The batch in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::error::ApiError;

#[derive(IntoParams)]
#[into_params(names("batchId"), parameter_in = Path)]
pub struct BatchPath(
    /// UUID of the batch.
    pub Uuid,
);

impl<S: Send + Sync> FromRequestParts<S> for BatchPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, Uuid)>::from_request_parts(parts, state).await;
        path.map(|Path((_, batch))| Self(batch)).map_err(|_| ApiError::InvalidParameter("batch id"))
    }
}
