//! What handlers are given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use trunkline_connectors::clock::Clock;
use trunkline_store::keys::KeySecret;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use super::recent::Recent;

/// How long a key or an account is taken on trust after it was looked up: so long may a revoked key work.
const TRUST: Duration = Duration::from_secs(3);
/// Lookups remembered at most; a few megabytes.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Default)]
pub struct ApiConfig {
    /// The `Authorization` value that the messaging platform was told to send with its webhooks. `None`:
    /// webhooks are taken from everybody.
    pub webhook_secret: Option<String>,
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("webhook_secret", &self.webhook_secret.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    pub store: Store,
    pub clock: Clock,
    pub config: Arc<ApiConfig>,
    keys: Arc<Recent<[u8; 32], AccountId>>,
    accounts: Arc<Recent<AccountId, ()>>,
}

impl ApiState {
    pub fn new(store: Store, clock: Clock, config: ApiConfig) -> Self {
        Self {
            store,
            clock,
            config: Arc::new(config),
            keys: Arc::new(Recent::new(TRUST, REMEMBERED)),
            accounts: Arc::new(Recent::new(TRUST, REMEMBERED)),
        }
    }

    /// Whose key this is.
    pub(super) async fn owner_of(&self, secret: &KeySecret) -> Result<Option<AccountId>, StoreError> {
        let hash = secret.hash();
        if let Some(account) = self.keys.get(&hash) {
            return Ok(Some(account));
        }
        let account = self.store.authenticate(secret).await?;
        if let Some(account) = &account {
            self.keys.put(hash, account.clone());
        }
        Ok(account)
    }

    pub(super) async fn account_exists(&self, account: &AccountId) -> Result<bool, StoreError> {
        if self.accounts.get(account).is_some() {
            return Ok(true);
        }
        let exists = self.store.account_exists(account).await?;
        if exists {
            self.accounts.put(account.clone(), ());
        }
        Ok(exists)
    }

    /// Whether the platform may send webhooks with this `Authorization` value. Digests are compared, so the
    /// time it takes says nothing about the secret.
    pub(super) fn accepts_webhook(&self, authorization: &[u8]) -> bool {
        let expected = self.config.webhook_secret.as_ref();
        expected.is_none_or(|secret| Sha256::digest(secret) == Sha256::digest(authorization))
    }
}
