//! How an account knows the webhooks that are meant for it: by the `Authorization` value that the platform was
//! told to send, and by the addresses that it calls from.

use std::fmt;

use chrono::{DateTime, Utc};
use ring::hmac;
use serde_json::json;
use trunkline_workflow::AccountId;

use crate::audit::{self, By};
use crate::keys::{RANDOM_LENGTH, base62};
use crate::sealing::{Place, hex};
use crate::{Store, StoreError};

/// Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The whole value of the `Authorization` header.
    pub secret: String,
    /// The secret before it, while that is taken as well.
    pub previous: Option<String>,
    /// Networks that webhooks may come from, `52.10.10.63` or `10.1.0.0/16`; none: from anywhere.
    pub allowed: Vec<String>,
    pub changed_at: DateTime<Utc>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// What is known of an account's webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookLookup {
    NoAccount,
    /// The account takes none.
    NoSecret,
    Found(WebhookSettings),
    /// The secret is sealed with a master key that the store lacks.
    Sealed(SealedWebhooks),
}

/// What can be read of settings without the master key of the secret. Its `Debug` does not show the one before it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedWebhooks {
    /// The id of the key that it takes.
    pub key: String,
    pub previous: Option<String>,
    pub allowed: Vec<String>,
}

impl fmt::Debug for SealedWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedWebhooks")
            .field("key", &self.key)
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

/// What became of the secret that a new one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// There was none.
    First,
    /// It is taken until then.
    Taken { until: DateTime<Utc> },
    /// It is not taken any more: the one before it is, until then, as it was promised when it was replaced.
    Skipped { until: DateTime<Utc> },
}

/// A secret of these bits, which must be random, as the platform is to send it.
pub fn webhook_secret_from_random(bits: [u8; 32]) -> String {
    format!("Bearer trunkline_whk_{}", base62(&bits, RANDOM_LENGTH))
}

/// The webhooks for which whoever calls them can be told no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headerless {
    /// Key presses.
    Dtmf,
    /// Statuses of the Messages API.
    MessageStatus,
    /// What users write, by the Messages API.
    InboundMessage,
}

impl Headerless {
    pub const ALL: [Self; 3] = [Self::Dtmf, Self::MessageStatus, Self::InboundMessage];

    /// The last part of its path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dtmf => "dtmf",
            Self::MessageStatus => "message-status",
            Self::InboundMessage => "inbound-message",
        }
    }
}

/// What the URL of such a webhook carries instead of the header: whoever reads it in an access log does not know the
/// secret, and can call no other webhook.
pub fn url_token(secret: &str, webhook: Headerless) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, webhook.as_str().as_bytes()).as_ref())
}

/// [`url_token`] of the URL for key presses.
pub fn dtmf_token(secret: &str) -> String {
    url_token(secret, Headerless::Dtmf)
}

/// Of the secret and the one before it alike.
pub(crate) fn place(account: &AccountId) -> Place<'_> {
    Place { column: "webhook_settings.secret", account, row: "" }
}

impl Store {
    pub async fn look_up_webhooks(&self, account: &AccountId) -> Result<WebhookLookup, StoreError> {
        type Row = (Option<String>, Option<String>, Option<Vec<String>>, Option<DateTime<Utc>>);
        let unlocked = self.keys().await?;
        let row: Option<Row> = sqlx::query_as(
            "select w.secret, case when w.previous_until > now() then w.previous_secret end, w.allowed,
                    w.changed_at
             from accounts a
             left join webhook_settings w on w.account_id = a.id
             where a.id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(WebhookLookup::NoAccount) };
        let (Some(secret), previous, Some(allowed), Some(changed_at)) = row else {
            return Ok(WebhookLookup::NoSecret);
        };
        // One that cannot be read is as good as none: its day would have ended anyway.
        let previous = previous.and_then(|sealed| unlocked.unseal(place(account), &sealed).ok());
        match unlocked.unseal(place(account), &secret) {
            Ok(secret) => Ok(WebhookLookup::Found(WebhookSettings { secret, previous, allowed, changed_at })),
            Err(StoreError::UnknownMasterKey(key)) => {
                Ok(WebhookLookup::Sealed(SealedWebhooks { key, previous, allowed }))
            }
            Err(error) => Err(error),
        }
    }

    /// `None`: the account takes no webhooks, or there is no such account.
    pub async fn webhook_settings(&self, account: &AccountId) -> Result<Option<WebhookSettings>, StoreError> {
        match self.look_up_webhooks(account).await? {
            WebhookLookup::Found(settings) => Ok(Some(settings)),
            WebhookLookup::NoSecret | WebhookLookup::NoAccount => Ok(None),
            WebhookLookup::Sealed(SealedWebhooks { key, .. }) => Err(StoreError::UnknownMasterKey(key)),
        }
    }

    pub async fn webhook_secret(&self, account: &AccountId) -> Result<Option<String>, StoreError> {
        Ok(self.webhook_settings(account).await?.map(|settings| settings.secret))
    }

    /// The account's settings; where there were none it has the secret `fresh` from now on. `None`: there is
    /// no such account.
    pub async fn ensure_webhook_settings(
        &self,
        account: &AccountId,
        fresh: &str,
        by: &By,
    ) -> Result<Option<WebhookSettings>, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let made = sqlx::query(
            "insert into webhook_settings (account_id, secret)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do nothing",
        )
        .bind(account.as_str())
        .bind(sealer.seal(place(account), fresh))
        .execute(&mut *transaction)
        .await?;
        if made.rows_affected() == 1 {
            audit::note(&mut transaction, account, by, "webhook.create", account.as_str(), None).await?;
        }
        transaction.commit().await?;
        self.webhook_settings(account).await
    }

    /// From now on the account's secret is this one alone. `false`: there is no such account.
    pub async fn replace_webhook_secret(
        &self,
        account: &AccountId,
        secret: &str,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let replaced = sqlx::query(
            "insert into webhook_settings (account_id, secret)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do update
             set secret = excluded.secret, previous_secret = null, previous_until = null, changed_at = now()",
        )
        .bind(account.as_str())
        .bind(sealer.seal(place(account), secret))
        .execute(&mut *transaction)
        .await?;
        if replaced.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = json!({"previous": "refused"});
        audit::note(&mut transaction, account, by, "webhook.rotate", account.as_str(), Some(&detail)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The same, but the secret of before is taken for another day: so long calls may run that name it, and the
    /// platform has to be told the new one. `None`: there is no such account.
    ///
    /// Rotated again within that day, the platform may not have been told of the one in between: then the older one
    /// keeps its day.
    pub async fn rotate_webhook_secret(
        &self,
        account: &AccountId,
        secret: &str,
        by: &By,
    ) -> Result<Option<Rotated>, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let rotated: Option<(Option<DateTime<Utc>>, Option<bool>)> = sqlx::query_as(
            "insert into webhook_settings as w (account_id, secret)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do update
             set secret = excluded.secret,
                 previous_secret = case when w.previous_until > now() then w.previous_secret else w.secret end,
                 previous_until = case when w.previous_until > now() then w.previous_until else now() + interval '1 day' end,
                 changed_at = now()
             returning previous_until, previous_until < now() + interval '1 day'",
        )
        .bind(account.as_str())
        .bind(sealer.seal(place(account), secret))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((until, is_skipped)) = rotated else { return Ok(None) };
        let detail = json!({"previousUntil": until});
        audit::note(&mut transaction, account, by, "webhook.rotate", account.as_str(), Some(&detail)).await?;
        transaction.commit().await?;
        Ok(Some(match (until, is_skipped) {
            (Some(until), Some(true)) => Rotated::Skipped { until },
            (Some(until), _) => Rotated::Taken { until },
            (None, _) => Rotated::First,
        }))
    }

    /// Webhooks of the account are taken from these networks alone; from anywhere when there are none. They
    /// must be networks: the API reads them. `false`: the account has no settings.
    pub async fn allow_webhooks_from(
        &self,
        account: &AccountId,
        networks: &[String],
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let allowed = sqlx::query(
            "update webhook_settings
             set allowed = $2, changed_at = now()
             where account_id = $1",
        )
        .bind(account.as_str())
        .bind(networks)
        .execute(&mut *transaction)
        .await?;
        if allowed.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = json!({"networks": networks});
        audit::note(&mut transaction, account, by, "webhook.allow", account.as_str(), Some(&detail)).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{Headerless, dtmf_token, url_token, webhook_secret_from_random};

    #[test]
    fn a_secret_is_a_visible_bearer_token_of_256_bits() {
        let secret = webhook_secret_from_random([0xff; 32]);
        let token = secret.strip_prefix("Bearer trunkline_whk_").unwrap();
        assert_eq!(token.len(), 43);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(secret, webhook_secret_from_random([0xfe; 32]));
    }

    #[test]
    fn the_token_of_the_dtmf_url_is_an_hmac() {
        // printf dtmf | openssl dgst -sha256 -hmac 'Basic c2VjcmV0'
        assert_eq!(
            dtmf_token("Basic c2VjcmV0"),
            "6589ea228f774d548f1ae9369543f64f3ecdb77c28b764090ecf3f6302f44628"
        );
        assert_ne!(dtmf_token("Basic c2VjcmV1"), dtmf_token("Basic c2VjcmV0"));
        let [dtmf, status, inbound] = Headerless::ALL.map(|webhook| url_token("Basic c2VjcmV0", webhook));
        assert!(dtmf != status && status != inbound && inbound != dtmf);
    }
}
