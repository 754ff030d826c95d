//! Whether a webhook really comes from the Messages API. Where the account has told with what it signs, the signature
//! decides, which stands where the account's own secret would (Workflows API 9.7, 12.5).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use trunkline_connectors::messages_api::{SignatureFault, WebhookClaims, verify_webhook_token};
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use super::credentials::{Addressee, Registered, account_in_path, check_address};
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::recent::Recent;
use crate::api::state::ApiState;

/// No account has a longer id; longer ones are not remembered.
const LONGEST_STRANGER: usize = 100;

/// The account that is called, and what it is told.
pub struct FromMessagesApi {
    pub account: AccountId,
    pub body: Body,
}

impl<S> FromRequest<S> for FromMessagesApi
where
    S: Send + Sync,
    ApiState: FromRef<S>,
{
    type Rejection = ApiError;

    /// The body is not read for a stranger.
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let state: ApiState = ApiState::from_ref(state);
        let (mut parts, body) = request.into_parts();
        let account = account_in_path(&mut parts).await?;
        let Some(secret) = state.signatures().find(&state.store, &account).await? else {
            let Registered(account) =
                <Registered as FromRequestParts<ApiState>>::from_request_parts(&mut parts, &state).await?;
            let body = Body::from_request(Request::from_parts(parts, body), &state).await?;
            return Ok(Self { account, body });
        };
        let refused = |fault: SignatureFault| {
            if state.is_time_to_tell(&account) {
                tracing::warn!(
                    account.id = %account,
                    "webhooks of the Messages API are refused: {fault}. `trunkline connector set {account} messages-api \
                     --signature-secret-file …` tells the secret"
                );
            }
            ApiError::WebhookUnauthenticated
        };
        let claims = verify_token(&parts, &secret, &state).map_err(refused)?;
        match state.webhook_addressee(&account).await? {
            Addressee::Expects(expected) => check_address(&state, &parts, &account, &expected)?,
            // It takes no other webhooks, and has not said where they may come from.
            Addressee::HasNoSecret => {}
            // From where they may come cannot be read.
            Addressee::Unknown => return Err(ApiError::WebhookUnauthenticated),
        }
        let body = Body::from_request(Request::from_parts(parts, body), &state).await?;
        claims.verify_body(&body.0).map_err(refused)?;
        Ok(Self { account, body })
    }
}

fn verify_token(parts: &Parts, secret: &str, state: &ApiState) -> Result<WebhookClaims, SignatureFault> {
    let header = parts.headers.get(AUTHORIZATION).map(HeaderValue::to_str);
    let authorization = header.and_then(Result::ok).ok_or(SignatureFault::NoToken)?;
    verify_webhook_token(secret, authorization, (state.clock)())
}

/// Signature secrets as they were looked up a moment ago. Accounts without one are remembered apart from the others,
/// so that strangers who make up accounts neither load the database nor displace anybody.
pub(in crate::api) struct Signatures {
    secrets: Recent<AccountId, Arc<str>>,
    unsigned: Recent<AccountId, ()>,
}

impl Signatures {
    /// Lookups are believed for `trust`, and no more than `remembered` of each kind.
    pub(in crate::api) fn new(trust: Duration, remembered: usize) -> Self {
        Self { secrets: Recent::new(trust, remembered), unsigned: Recent::new(trust, remembered) }
    }

    /// `None`: the account's webhooks of the Messages API are not signed.
    async fn find(&self, store: &Store, account: &AccountId) -> Result<Option<Arc<str>>, ApiError> {
        if let Some(secret) = self.secrets.get(account) {
            return Ok(Some(secret));
        }
        if self.unsigned.get(account).is_some() {
            return Ok(None);
        }
        let secret = match store.find_provider_signature(account, ConnectorKind::MessagesApi).await {
            Ok(secret) => secret,
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(account.id = %account, error = %error, "a signature secret cannot be read");
                return Err(ApiError::WebhookUnauthenticated);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(secret) = secret.map(Arc::<str>::from) else {
            if account.as_str().len() <= LONGEST_STRANGER {
                self.unsigned.put(account.clone(), ());
            }
            return Ok(None);
        };
        self.secrets.put(account.clone(), secret.clone());
        Ok(Some(secret))
    }
}
