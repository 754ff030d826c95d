//! The workflow that a path names. One of another account is not found, as one that nobody has.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::nexmo::Problem;
use crate::api::path::find;

#[derive(IntoParams)]
#[into_params(names("uuid"), parameter_in = Path)]
pub struct UuidPath(
    /// UUID of the workflow or the message.
    #[param(value_type = Uuid)]
    pub Uuid,
);

impl<S: Send + Sync> FromRequestParts<S> for UuidPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::NotFound)?;
        let id = find(&params, "uuid").and_then(|text| Uuid::try_parse(text).ok());
        id.map(Self).ok_or(Problem::NotFound)
    }
}
