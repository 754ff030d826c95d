//! Who calls, as handlers are told. What takes a [`Caller`] or a [`KeyCaller`] is reached by nobody else.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use trunkline_store::applications::ApplicationId;
use trunkline_store::audit::{Actor, By};
use trunkline_workflow::AccountId;

use super::authenticate::authenticate;
use super::problem::Problem;
use crate::api::state::ApiState;

/// Who sends: an account by its API key, or one of its applications. Each call takes one of what the API key may
/// make in a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
    /// The account's, also where an application calls.
    pub api_key: String,
    /// `None`: called with a secret.
    pub application: Option<ApplicationId>,
}

impl Caller {
    /// For the audit.
    pub fn by(&self) -> By {
        let actor = match self.application {
            Some(id) => Actor::Application(id),
            None => Actor::ApiKey(self.api_key.clone()),
        };
        By { actor, reason: None }
    }
}

/// Who administers: an account by its API key and a secret. Tokens are not enough. Each call takes one of what the
/// API key may make in a second.
pub struct KeyCaller {
    pub account: AccountId,
    pub api_key: String,
}

impl KeyCaller {
    /// For the audit.
    pub fn by(&self) -> By {
        By { actor: Actor::ApiKey(self.api_key.clone()), reason: None }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    ApiState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let state = ApiState::from_ref(state);
        let caller = authenticate(parts, &state).await?;
        if state.callers().may_call(&caller.account) { Ok(caller) } else { Err(Problem::RateLimit) }
    }
}

impl<S> FromRequestParts<S> for KeyCaller
where
    S: Send + Sync,
    ApiState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let state = ApiState::from_ref(state);
        let Caller { account, api_key, application } = authenticate(parts, &state).await?;
        if application.is_some() {
            return Err(Problem::Unauthorized);
        }
        if state.callers().may_call(&account) {
            Ok(Self { account, api_key })
        } else {
            Err(Problem::RateLimit)
        }
    }
}
