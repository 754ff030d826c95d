//! Who calls: `Authorization: Bearer {key}`, and the key must be of the account in the path (spec 2.1). A handler takes
//! an [`Account`] where every key may look, and an [`Operator`], [`Author`] or [`Administrator`] where the key must have
//! that scope.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use trunkline_store::audit::{Actor, By};
use trunkline_store::keys::{KeySecret, Opened, Scope};
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

/// Who changes something, with a key whose scope allows it.
pub struct Caller {
    pub account: AccountId,
    pub by: By,
}

/// Who starts, controls and repeats instances.
pub struct Operator(pub Caller);

/// Who saves and deletes definitions.
pub struct Author(pub Caller);

/// Who decides what others may see.
pub struct Administrator(pub Caller);

/// Why something is done, for the audit.
const REASON: &str = "trunkline-reason";
/// Characters.
const LONGEST_REASON: usize = 500;

/// Set by [`require_key`] alone.
#[derive(Clone)]
struct Authenticated(Arc<Opened>);

pub(super) async fn require_key(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let secret = bearer(request.headers()).and_then(KeySecret::parse).ok_or(ApiError::Unauthenticated)?;
    let opened = state.opened_by(&secret).await?.ok_or(ApiError::Unauthenticated)?;
    let (mut parts, body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    let params = params.map_err(|_| ApiError::InvalidParameter("path"))?;
    request = Request::from_parts(parts, body);
    if path::find(&params, "accountId") != Some(opened.account.as_str()) {
        return Err(ApiError::Forbidden);
    }
    request.extensions_mut().insert(Authenticated(opened));
    Ok(next.run(request).await)
}

/// The scheme's name has any letter case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A route outside the authenticated ones has nobody to hand out.
fn authenticated(parts: &Parts) -> Result<&Opened, ApiError> {
    let authenticated = parts.extensions.get::<Authenticated>();
    authenticated.map(|Authenticated(opened)| &**opened).ok_or(ApiError::Unauthenticated)
}

fn caller(parts: &Parts, needed: Scope) -> Result<Caller, ApiError> {
    let opened = authenticated(parts)?;
    if opened.scope < needed {
        return Err(ApiError::OutOfScope { has: opened.scope, needed });
    }
    let actor = Actor::Key { id: opened.key, name: opened.name.clone() };
    Ok(Caller { account: opened.account.clone(), by: By { actor, reason: reason(&parts.headers)? } })
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(REASON) else { return Ok(None) };
    let reason = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
    let reason = reason.filter(|reason| reason.chars().count() <= LONGEST_REASON);
    let reason = reason.ok_or(ApiError::InvalidParameter("Trunkline-Reason"))?;
    Ok((!reason.is_empty()).then(|| reason.to_owned()))
}

impl<S: Sync> FromRequestParts<S> for Account {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(authenticated(parts)?.account.clone()))
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        caller(parts, Scope::Operator).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Author {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        caller(parts, Scope::Author).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        caller(parts, Scope::Admin).map(Self)
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
