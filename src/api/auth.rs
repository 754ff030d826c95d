//! Who calls: `Authorization: Bearer {key}`, and the key must be of the account in the path (spec 2.1).

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use trunkline_store::keys::KeySecret;
use trunkline_workflow::AccountId;
use utoipa::IntoParams;

use super::error::ApiError;
use super::path;
use super::state::ApiState;

/// The account in the path, once its key was seen.
#[derive(IntoParams)]
#[into_params(names("accountId"), parameter_in = Path)]
pub struct Account(
    /// The account that the key belongs to.
    #[param(value_type = String)]
    pub AccountId,
);

/// Set by [`require_key`] alone.
#[derive(Clone)]
struct Authenticated(AccountId);

pub(super) async fn require_key(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let secret = bearer(request.headers()).and_then(KeySecret::parse).ok_or(ApiError::Unauthenticated)?;
    let owner = state.owner_of(&secret).await?.ok_or(ApiError::Unauthenticated)?;
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.map_err(|_| ApiError::InvalidParameter("path"))?;
    request = Request::from_parts(parts, body);
    if path::find(&params, "accountId") != Some(owner.as_str()) {
        return Err(ApiError::Forbidden);
    }
    request.extensions_mut().insert(Authenticated(owner));
    Ok(next.run(request).await)
}

/// The scheme's name has any letter case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl<S: Sync> FromRequestParts<S> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let authenticated = parts.extensions.get::<Authenticated>();
        // A route outside the authenticated ones has no account to hand out.
        authenticated.map(|Authenticated(account)| Self(account.clone())).ok_or(ApiError::Unauthenticated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_003_the_scheme_is_matched_in_any_letter_case() {
        for (header, token) in [
            ("Bearer x", Some("x")),
            ("bearer x", Some("x")),
            ("BEARER  x ", Some("x")),
            ("Basic x", None),
            ("Bearer", None),
            ("x", None),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
            assert_eq!(bearer(&headers), token, "{header}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
