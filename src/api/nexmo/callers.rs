//! API keys and applications as they were looked up a moment ago, and how many requests each key has left.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_store::applications::{ApplicationId, ApplicationKey};
use trunkline_store::nexmo_secrets::KeyHolder;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use super::public_key::{PublicKey, Verifier};
use crate::api::rate_limit::RateLimit;
use crate::api::recent::Recent;

/// Requests a second, unless configured otherwise; as many may come at once.
const RATE: NonZeroU32 = NonZeroU32::new(30).unwrap();
/// Nobody's key is longer; the database is not asked for it.
const LONGEST_KEY: usize = 100;

/// An application, and its key as it is used.
pub(in crate::api) struct KnownApplication {
    pub(super) key: ApplicationKey,
    pub(super) verifier: Verifier,
}

/// Those that nobody has are remembered apart from the others, so that strangers who make them up neither load the
/// database nor displace anybody.
pub(in crate::api) struct Callers {
    holders: Recent<String, Arc<KeyHolder>>,
    applications: Recent<ApplicationId, Arc<KnownApplication>>,
    unknown_keys: Recent<String, ()>,
    unknown_applications: Recent<ApplicationId, ()>,
    /// By account, which has one API key.
    limit: RateLimit,
}

impl Callers {
    /// Lookups are believed for `trust`, and no more than `remembered` of each kind; `rate`: requests a second and
    /// API key.
    pub(in crate::api) fn new(trust: Duration, remembered: usize, rate: Option<NonZeroU32>) -> Self {
        Self {
            holders: Recent::new(trust, remembered),
            applications: Recent::new(trust, remembered),
            unknown_keys: Recent::new(trust, remembered),
            unknown_applications: Recent::new(trust, remembered),
            limit: RateLimit::new(rate.unwrap_or(RATE)),
        }
    }

    /// Whose API key it is; `None`: nobody's.
    pub(super) async fn holder_of(
        &self,
        store: &Store,
        api_key: &str,
    ) -> Result<Option<Arc<KeyHolder>>, StoreError> {
        if api_key.is_empty() || api_key.len() > LONGEST_KEY || api_key.contains('\0') {
            return Ok(None);
        }
        let api_key = api_key.to_owned();
        if let Some(holder) = self.holders.get(&api_key) {
            return Ok(Some(holder));
        }
        if self.unknown_keys.get(&api_key).is_some() {
            return Ok(None);
        }
        let Some(holder) = store.find_key_holder(&api_key).await?.map(Arc::new) else {
            self.unknown_keys.put(api_key, ());
            return Ok(None);
        };
        self.holders.put(api_key, holder.clone());
        Ok(Some(holder))
    }

    /// `None`: there is no such application.
    pub(super) async fn application(
        &self,
        store: &Store,
        id: ApplicationId,
    ) -> Result<Option<Arc<KnownApplication>>, StoreError> {
        if let Some(application) = self.applications.get(&id) {
            return Ok(Some(application));
        }
        if self.unknown_applications.get(&id).is_some() {
            return Ok(None);
        }
        let Some(key) = store.find_application_key(id).await? else {
            self.unknown_applications.put(id, ());
            return Ok(None);
        };
        let public_key = PublicKey::parse(&key.public_key)
            .map_err(|error| StoreError::Damaged(format!("the key of application {id}: {error}")))?;
        let application = Arc::new(KnownApplication { key, verifier: public_key.verifier() });
        self.applications.put(id, application.clone());
        Ok(Some(application))
    }

    /// Takes one of the requests that the account's API key has left.
    pub(super) fn may_call(&self, account: &AccountId) -> bool {
        self.limit.take(account, Instant::now())
    }
}
