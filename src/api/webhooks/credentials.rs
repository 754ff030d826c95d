//! Whether a webhook really comes from the platform: it repeats the `Authorization` value that it was
//! registered with, and it calls from where the account expects it (spec 7.8).

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, MatchedPath, RawPathParams};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use trunkline_connectors::outbound::{IpNet, parse_network};
use trunkline_store::StoreError;
use trunkline_store::webhook_settings::{Headerless, SealedWebhooks, WebhookSettings, url_token};
use trunkline_workflow::AccountId;
use utoipa::IntoParams;

use super::caller_address::caller_address;
use crate::api::error::ApiError;
use crate::api::path;
use crate::api::query::Query;
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

    /// Strangers are not told which accounts there are: they all get the same answer.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = ApiState::from_ref(state);
        let account = account_in_path(parts).await?;
        let expected = match state.webhook_addressee(&account).await? {
            Addressee::Expects(expected) => expected,
            Addressee::HasNoSecret => {
                if state.is_time_to_tell(&account) {
                    tracing::warn!(
                        account.id = %account,
                        "webhooks are refused because the account has no secret for them: \
                         `trunkline webhook show {account} --url …` makes one"
                    );
                }
                return Err(ApiError::WebhookUnauthenticated);
            }
            Addressee::Unknown => return Err(ApiError::WebhookUnauthenticated),
        };
        let header = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        if !expected.is_secret(header) && !has_token(parts, &expected).await {
            return Err(expected.refusal());
        }
        check_address(&state, parts, &account, &expected)?;
        Ok(Self(account))
    }
}

pub(super) async fn account_in_path(parts: &mut Parts) -> Result<AccountId, ApiError> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok();
    let id = params.as_ref().and_then(|params| path::find(params, "accountId"));
    let id = id.filter(|id| !id.contains('\0')).ok_or(ApiError::InvalidParameter("account id"))?;
    Ok(AccountId::new(id))
}

/// Of a caller who has shown that it is the right one.
pub(super) fn check_address(
    state: &ApiState,
    parts: &Parts,
    account: &AccountId,
    expected: &Expected,
) -> Result<(), ApiError> {
    if expected.networks.is_empty() {
        return Ok(());
    }
    let caller = caller_address(parts, &state.config.trusted_proxies);
    if caller.is_some_and(|caller| expected.networks.iter().any(|network| network.contains(&caller))) {
        return Ok(());
    }
    if state.is_time_to_tell(account) {
        let caller = caller.map_or_else(|| "an unknown address".to_owned(), |caller| caller.to_string());
        tracing::warn!(
            account.id = %account,
            "webhooks with the right secret are refused because they come from {caller}: \
             `trunkline webhook allow {account}` says from where they may"
        );
    }
    Err(ApiError::WebhookUnauthenticated)
}

async fn has_token(parts: &mut Parts, expected: &Expected) -> bool {
    let route = parts.extensions.get::<MatchedPath>();
    let last = route.and_then(|route| route.as_str().rsplit('/').next());
    let Some(webhook) = Headerless::ALL.into_iter().find(|webhook| last == Some(webhook.as_str())) else {
        return false;
    };
    let query = Query::from_request_parts(parts, &()).await.ok();
    let token = query.as_ref().and_then(|query| query.text("token"));
    token.is_some_and(|token| expected.is_token(webhook, token))
}

/// Whom a webhook is for.
#[derive(Clone)]
pub(in crate::api) enum Addressee {
    Expects(Arc<Expected>),
    /// Takes no webhooks before it has one.
    HasNoSecret,
    /// There is no such account, or nobody can read its secret: strangers are not to tell them apart.
    Unknown,
}

/// What a webhook of an account has to show. Digests are compared, so the time it takes says nothing about
/// the secret.
pub(in crate::api) struct Expected {
    /// The account's secret, and the one before it for a while.
    secrets: Vec<Digests>,
    networks: Vec<IpNet>,
    /// The id of the master key that another secret takes, which may be the one that is shown.
    lacking: Option<String>,
}

/// Of a secret, and of its tokens.
struct Digests {
    secret: [u8; 32],
    tokens: [(Headerless, [u8; 32]); 3],
}

impl Expected {
    pub(in crate::api) fn new(settings: &WebhookSettings) -> Result<Self, StoreError> {
        let secrets = [&settings.secret].into_iter().chain(&settings.previous);
        Ok(Self { secrets: digests(secrets), networks: networks(&settings.allowed)?, lacking: None })
    }

    pub(in crate::api) fn of_sealed(settings: &SealedWebhooks) -> Result<Self, StoreError> {
        Ok(Self {
            secrets: digests(&settings.previous),
            networks: networks(&settings.allowed)?,
            lacking: Some(settings.key.clone()),
        })
    }

    /// What is said to who shows none of the secrets.
    fn refusal(&self) -> ApiError {
        match &self.lacking {
            Some(key) => ApiError::Store(StoreError::UnknownMasterKey(key.clone())),
            None => ApiError::WebhookUnauthenticated,
        }
    }

    fn is_secret(&self, authorization: &[u8]) -> bool {
        let shown = digest(authorization);
        self.secrets.iter().any(|digests| digests.secret == shown)
    }

    fn is_token(&self, webhook: Headerless, token: &str) -> bool {
        let shown = (webhook, digest(token.as_bytes()));
        self.secrets.iter().any(|digests| digests.tokens.contains(&shown))
    }
}

fn digests<'a>(secrets: impl IntoIterator<Item = &'a String>) -> Vec<Digests> {
    let digests = |secret: &String| Digests {
        secret: digest(secret.as_bytes()),
        tokens: Headerless::ALL.map(|webhook| (webhook, digest(url_token(secret, webhook).as_bytes()))),
    };
    secrets.into_iter().map(digests).collect()
}

fn networks(allowed: &[String]) -> Result<Vec<IpNet>, StoreError> {
    let network = |text: &String| {
        parse_network(text).map_err(|_| StoreError::Damaged(format!("`{text}` is no network")))
    };
    allowed.iter().map(network).collect()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
