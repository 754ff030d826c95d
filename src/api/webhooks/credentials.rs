//! Whether a webhook really comes from the platform: it repeats the `Authorization` value that it was
//! registered with (spec 7.8).

use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use trunkline_workflow::AccountId;
use utoipa::IntoParams;

use crate::api::error::ApiError;
use crate::api::path;
use crate::api::state::ApiState;

/// The account that a webhook was registered for. Comes before the body, which is not read for a stranger.
#[derive(IntoParams)]
#[into_params(names("accountId"), parameter_in = Path)]
pub struct Registered(
    /// The account that the webhook was registered for.
    #[param(value_type = String)]
    pub AccountId,
);

impl<S> FromRequestParts<S> for Registered
where
    S: Send + Sync,
    ApiState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = ApiState::from_ref(state);
        let authorization = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        if !state.accepts_webhook(authorization.unwrap_or_default()) {
            return Err(ApiError::WebhookUnauthenticated);
        }
        let params = RawPathParams::from_request_parts(parts, &()).await.ok();
        let id = params.as_ref().and_then(|params| path::find(params, "accountId"));
        let id = id.filter(|id| !id.contains('\0')).ok_or(ApiError::InvalidParameter("account id"))?;
        let account = AccountId::new(id);
        if state.account_exists(&account).await? {
            Ok(Self(account))
        } else {
            Err(ApiError::AccountNotFound(account))
        }
    }
}
