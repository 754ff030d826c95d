//! How an account knows the webhooks that are meant for it: by the `Authorization` value that the platform was
//! told to send, and by the addresses that it calls from.

use std::fmt;

use chrono::{DateTime, Utc};
use ring::hmac;
use trunkline_workflow::AccountId;

use crate::keys::{RANDOM_LENGTH, base62};
use crate::sealing::{Place, hex};
use crate::{Store, StoreError};

/// Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The whole value of the `Authorization` header.
    pub secret: String,
    /// Networks that webhooks may come from, `52.10.10.63` or `10.1.0.0/16`; none: from anywhere.
    pub allowed: Vec<String>,
    pub changed_at: DateTime<Utc>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// A secret of these bits, which must be random, as the platform is to send it.
pub fn webhook_secret_from_random(bits: [u8; 32]) -> String {
    format!("Bearer trunkline_whk_{}", base62(&bits, RANDOM_LENGTH))
}

/// What the URL for key presses carries instead of the header that the platform cannot be told there:
/// whoever reads it in an access log does not know the secret.
pub fn dtmf_token(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, b"dtmf").as_ref())
}

fn place(account: &AccountId) -> Place<'_> {
    Place { column: "webhook_settings.secret", account, row: "" }
}

impl Store {
    /// `None`: the account takes no webhooks, or there is no such account.
    pub async fn webhook_settings(&self, account: &AccountId) -> Result<Option<WebhookSettings>, StoreError> {
        let row: Option<(String, Vec<String>, DateTime<Utc>)> = sqlx::query_as(
            "select secret, allowed, changed_at
             from webhook_settings
             where account_id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let Some((sealed, allowed, changed_at)) = row else { return Ok(None) };
        let secret = self.keys()?.unseal(place(account), &sealed)?;
        Ok(Some(WebhookSettings { secret, allowed, changed_at }))
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
    ) -> Result<Option<WebhookSettings>, StoreError> {
        sqlx::query(
            "insert into webhook_settings (account_id, secret)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do nothing",
        )
        .bind(account.as_str())
        .bind(self.keys()?.seal(place(account), fresh))
        .execute(&self.pool)
        .await?;
        self.webhook_settings(account).await
    }

    /// From now on the account's secret is this one. `false`: there is no such account.
    pub async fn replace_webhook_secret(
        &self,
        account: &AccountId,
        secret: &str,
    ) -> Result<bool, StoreError> {
        let replaced = sqlx::query(
            "insert into webhook_settings (account_id, secret)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do update
             set secret = excluded.secret, changed_at = now()",
        )
        .bind(account.as_str())
        .bind(self.keys()?.seal(place(account), secret))
        .execute(&self.pool)
        .await?;
        Ok(replaced.rows_affected() == 1)
    }

    /// Webhooks of the account are taken from these networks alone; from anywhere when there are none. They
    /// must be networks: the API reads them. `false`: the account has no settings.
    pub async fn allow_webhooks_from(
        &self,
        account: &AccountId,
        networks: &[String],
    ) -> Result<bool, StoreError> {
        let allowed = sqlx::query(
            "update webhook_settings
             set allowed = $2, changed_at = now()
             where account_id = $1",
        )
        .bind(account.as_str())
        .bind(networks)
        .execute(&self.pool)
        .await?;
        Ok(allowed.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{dtmf_token, webhook_secret_from_random};

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
    }
}
