//! `Idempotency-Key`: an extension of ours for calls that start instances. A repeated request is answered
//! as the first one was and starts nothing, for 24 hours.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use trunkline_store::starts::{IdempotencyKey, NewInstance, StartedOnce};
use trunkline_workflow::{AccountId, InstanceId};
use utoipa::IntoParams;

use super::error::ApiError;
use super::state::ApiState;

const HEADER: &str = "Idempotency-Key";
const MAX_LENGTH: usize = 255;

/// The header, and the part of the request it stands for so far; `None` without the header.
pub struct RequestKey(Option<(String, Sha256)>);

/// For the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `RequestKey` reads")]
pub struct IdempotencyHeader {
    /// Extension: a request repeated with the same key within 24 hours gets the first one's answer and
    /// starts nothing. Another request with the same key is answered with 409.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    key: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for RequestKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let key = header.to_str().ok().filter(|key| (1..=MAX_LENGTH).contains(&key.len()));
        let key = key.ok_or(ApiError::InvalidParameter(HEADER))?;
        let asked = Sha256::new_with_prefix(format!("{} {}\n", parts.method, parts.uri));
        Ok(Self(Some((key.to_owned(), asked))))
    }
}

impl RequestKey {
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// For a request with this body; `None` without the header.
    pub fn for_body(self, account: &AccountId, body: &[u8]) -> Option<IdempotencyKey> {
        let (key, asked) = self.0?;
        let request = asked.chain_update(body).finalize().into();
        Some(IdempotencyKey { account: account.clone(), key, request })
    }

    /// What the same request started before, where nothing may be started any more.
    pub async fn started_before(
        self,
        state: &ApiState,
        account: &AccountId,
        body: &[u8],
    ) -> Result<Option<Vec<InstanceId>>, ApiError> {
        let Some(key) = self.for_body(account, body) else { return Ok(None) };
        match state.store.started_before(&key).await? {
            None => Ok(None),
            Some(StartedOnce::Started(ids) | StartedOnce::Repeated(ids)) => Ok(Some(ids)),
            Some(StartedOnce::Mismatch) => Err(ApiError::KeyReused),
        }
    }

    /// Starts them, or says what the same request started before, which may be the very start that used up
    /// the account's quota: such a repetition is no new start.
    pub async fn start(
        self,
        state: &ApiState,
        account: AccountId,
        body: &[u8],
        instances: Vec<NewInstance>,
    ) -> Result<Vec<InstanceId>, ApiError> {
        let may_start = instances.is_empty() || state.may_start(&account).await?;
        let Some(key) = self.for_body(&account, body) else {
            return if may_start {
                Ok(state.store.start(instances).await?)
            } else {
                Err(ApiError::QuotaUsedUp)
            };
        };
        let started = if may_start {
            state.store.start_once(key, instances).await?
        } else {
            state.store.started_before(&key).await?.ok_or(ApiError::QuotaUsedUp)?
        };
        match started {
            StartedOnce::Started(ids) | StartedOnce::Repeated(ids) => Ok(ids),
            StartedOnce::Mismatch => Err(ApiError::KeyReused),
        }
    }
}
