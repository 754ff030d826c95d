//! What handlers are given.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use trunkline_connectors::clock::Clock;
use trunkline_connectors::outbound::IpNet;
use trunkline_store::events::Recipients;
use trunkline_store::keys::{KeySecret, Opened};
use trunkline_store::usage::Allowance;
use trunkline_store::webhook_settings::WebhookLookup;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::{AccountId, dispatch};

use super::automation::usage::show::UsageShape;
use super::nexmo::callers::Callers;
use super::recent::Recent;
use super::webhooks::credentials::{Addressee, Expected};
use super::webhooks::from_messages_api::Signatures;

/// How long a key, an account or a webhook's secret is taken on trust after it was looked up: so long may a
/// revoked one work.
const TRUST: Duration = Duration::from_secs(3);
/// Lookups remembered at most; a few megabytes.
const REMEMBERED: usize = 10_000;
/// No account has a longer id; longer ones are not remembered.
const LONGEST_STRANGER: usize = 100;
/// Between two lines in the log about the refused webhooks of one account.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub struct ApiConfig {
    /// Proxies in front of the server, whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests with a key, a second and account; `None`: any number.
    pub rate_limit: Option<NonZeroU32>,
    /// Requests of the Workflows and Messages API, a second and API key; `None`: 30.
    pub nexmo_rate: Option<NonZeroU32>,
    /// About workflows of that API.
    pub dispatch_rules: dispatch::Rules,
    pub usage_shape: UsageShape,
    /// Which of several waits for the same message goes on (U-18).
    pub recipients: Recipients,
    pub sms_aliases: SmsAliases,
    pub ended_calls: EndedCalls,
}

/// Whether inbound SMS also have their text and sender where chat messages have them (U-41).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmsAliases {
    #[default]
    None,
    Added,
}

/// What the end of a call means to a step that waits for its keys (U-27).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EndedCalls {
    /// It waits on: keys may still be reported.
    #[default]
    LeaveWaits,
    /// It goes on without keys.
    EndWaits,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    pub store: Store,
    pub clock: Clock,
    pub config: Arc<ApiConfig>,
    keys: Arc<Recent<[u8; 32], Arc<Opened>>>,
    webhooks: Arc<Recent<AccountId, Arc<Expected>>>,
    strangers: Arc<Recent<AccountId, Addressee>>,
    signatures: Arc<Signatures>,
    told: Arc<Recent<AccountId, ()>>,
    unlimited: Arc<Recent<AccountId, ()>>,
    callers: Arc<Callers>,
}

impl ApiState {
    pub fn new(store: Store, clock: Clock, config: ApiConfig) -> Self {
        let callers = Callers::new(TRUST, REMEMBERED, config.nexmo_rate);
        Self {
            store,
            clock,
            config: Arc::new(config),
            keys: Arc::new(Recent::new(TRUST, REMEMBERED)),
            webhooks: Arc::new(Recent::new(TRUST, REMEMBERED)),
            strangers: Arc::new(Recent::new(TRUST, REMEMBERED)),
            signatures: Arc::new(Signatures::new(TRUST, REMEMBERED)),
            told: Arc::new(Recent::new(SILENCE, REMEMBERED)),
            unlimited: Arc::new(Recent::new(TRUST, REMEMBERED)),
            callers: Arc::new(callers),
        }
    }

    /// What this key opens.
    pub(super) async fn opened_by(&self, secret: &KeySecret) -> Result<Option<Arc<Opened>>, StoreError> {
        let hash = secret.hash();
        if let Some(opened) = self.keys.get(&hash) {
            return Ok(Some(opened));
        }
        let opened = self.store.authenticate(secret).await?.map(Arc::new);
        if let Some(opened) = &opened {
            self.keys.put(hash, opened.clone());
        }
        Ok(opened)
    }

    /// Those who call the Workflows and Messages API.
    pub(super) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// With what the Messages API signs its webhooks.
    pub(super) fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    /// Whether the account's quota (U-36) allows another start. Accounts without one are not asked about
    /// again for a moment: so long a new quota may go unnoticed.
    pub(super) async fn may_start(&self, account: &AccountId) -> Result<bool, StoreError> {
        if self.unlimited.get(account).is_some() {
            return Ok(true);
        }
        let allowance = self.store.allowance(account).await?;
        if allowance == Allowance::Unlimited {
            self.unlimited.put(account.clone(), ());
        }
        Ok(allowance != Allowance::UsedUp)
    }

    /// Whom a webhook for the account is for. Those that take none are remembered as well, apart from the others,
    /// so that strangers who make up accounts neither load the database nor displace anybody.
    pub(super) async fn webhook_addressee(&self, account: &AccountId) -> Result<Addressee, StoreError> {
        if let Some(expected) = self.webhooks.get(account) {
            return Ok(Addressee::Expects(expected));
        }
        if let Some(addressee) = self.strangers.get(account) {
            return Ok(addressee);
        }
        let addressee = match self.store.look_up_webhooks(account).await {
            Ok(WebhookLookup::Found(settings)) => {
                let expected = Arc::new(Expected::new(&settings)?);
                self.webhooks.put(account.clone(), expected.clone());
                return Ok(Addressee::Expects(expected));
            }
            Ok(WebhookLookup::Sealed(settings)) => {
                if self.is_time_to_tell(account) {
                    tracing::error!(
                        account.id = %account,
                        "webhooks are answered with 503 because their secret is sealed with master key `{}`, which is \
                         not configured",
                        settings.key
                    );
                }
                let expected = Arc::new(Expected::of_sealed(&settings)?);
                self.webhooks.put(account.clone(), expected.clone());
                return Ok(Addressee::Expects(expected));
            }
            Ok(WebhookLookup::NoSecret) => Addressee::HasNoSecret,
            Ok(WebhookLookup::NoAccount) => Addressee::Unknown,
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(account.id = %account, error = %error, "the secret of webhooks cannot be read");
                Addressee::Unknown
            }
            Err(error) => return Err(error),
        };
        if account.as_str().len() <= LONGEST_STRANGER {
            self.strangers.put(account.clone(), addressee.clone());
        }
        Ok(addressee)
    }

    /// Whether the log has said nothing about the account's refused webhooks for a while. The account must
    /// exist: strangers could make up any number of others.
    pub(super) fn is_time_to_tell(&self, account: &AccountId) -> bool {
        let is_time = self.told.get(account).is_none();
        if is_time {
            self.told.put(account.clone(), ());
        }
        is_time
    }
}
