//! What an account is to the Workflows and Messages API: it has one API key there, a secret that callbacks are
//! signed with, and addresses for callbacks that no application has its own for.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::json;
use trunkline_workflow::AccountId;

use crate::audit::{self, By};
use crate::keys::{RANDOM_LENGTH, base62};
use crate::sealing::{Place, hex};
use crate::{PgConnection, Store, StoreError};

/// Whether an account, or an application, may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    Suspended,
}

impl Standing {
    pub(crate) fn of(suspended: bool) -> Self {
        if suspended { Self::Suspended } else { Self::Active }
    }

    pub fn is_suspended(self) -> bool {
        self == Self::Suspended
    }
}

/// Where callbacks go; `None`: nowhere, or where the account says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackUrls {
    /// Of statuses and final reports.
    pub status: Option<String>,
    /// Of inbound messages.
    pub inbound: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NexmoAccount {
    pub account: AccountId,
    pub api_key: String,
    pub standing: Standing,
    pub urls: CallbackUrls,
    /// Whether callbacks are signed.
    pub is_signing: bool,
    pub created_at: DateTime<Utc>,
}

/// What an account's callbacks are signed with. Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    pub api_key: String,
    /// `None`: they are not signed.
    pub secret: Option<String>,
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("api_key", &self.api_key).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
struct NexmoAccountRow {
    account_id: String,
    api_key: String,
    suspended: bool,
    status_url: Option<String>,
    inbound_url: Option<String>,
    is_signing: bool,
    created_at: DateTime<Utc>,
}

impl From<NexmoAccountRow> for NexmoAccount {
    fn from(row: NexmoAccountRow) -> Self {
        Self {
            account: AccountId::new(row.account_id),
            api_key: row.api_key,
            standing: Standing::of(row.suspended),
            urls: CallbackUrls { status: row.status_url, inbound: row.inbound_url },
            is_signing: row.is_signing,
            created_at: row.created_at,
        }
    }
}

/// An API key of these bits, which must be random: eight hexadecimal digits, as clients expect them. It is a name
/// and no secret.
pub fn api_key_from_random(bits: [u8; 4]) -> String {
    hex(&bits)
}

/// A signature secret of these bits, which must be random.
pub fn signature_secret_from_random(bits: [u8; 32]) -> String {
    base62(&bits, RANDOM_LENGTH)
}

pub(crate) const SIGNATURE_SECRET: &str = "nexmo_accounts.signature_secret";

pub(crate) fn place(account: &AccountId) -> Place<'_> {
    Place { column: SIGNATURE_SECRET, account, row: "" }
}

impl Store {
    /// The account as it is; where it had no API key it has the one of `fresh` from now on. `None`: there is no such
    /// account.
    pub async fn ensure_nexmo_account(
        &self,
        account: &AccountId,
        fresh: &str,
        by: &By,
    ) -> Result<Option<NexmoAccount>, StoreError> {
        let mut transaction = self.begin().await?;
        let made = sqlx::query(
            "insert into nexmo_accounts (account_id, api_key)
             select id, $2
             from accounts
             where id = $1
             on conflict (account_id) do nothing",
        )
        .bind(account.as_str())
        .bind(fresh)
        .execute(&mut *transaction)
        .await?;
        if made.rows_affected() == 1 {
            audit::note(&mut transaction, account, by, "credentials.create", fresh, None).await?;
        }
        transaction.commit().await?;
        self.find_nexmo_account(account).await
    }

    /// `None`: there is no such account, or it has no API key.
    pub async fn find_nexmo_account(&self, account: &AccountId) -> Result<Option<NexmoAccount>, StoreError> {
        let row: Option<NexmoAccountRow> = sqlx::query_as(
            "select account_id, api_key, suspended, status_url, inbound_url,
                    signature_secret is not null as is_signing, created_at
             from nexmo_accounts
             where account_id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(NexmoAccount::from))
    }

    /// `false`: the account has no API key.
    pub async fn set_account_callbacks(
        &self,
        account: &AccountId,
        urls: &CallbackUrls,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let api_key: Option<String> = sqlx::query_scalar(
            "update nexmo_accounts
             set status_url = $2, inbound_url = $3
             where account_id = $1
             returning api_key",
        )
        .bind(account.as_str())
        .bind(&urls.status)
        .bind(&urls.inbound)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(api_key) = api_key else { return Ok(false) };
        // Not the addresses: they may have a password in them.
        let detail = json!({"statuses": urls.status.is_some(), "inbound": urls.inbound.is_some()});
        let detail = Some(&detail);
        audit::note(&mut transaction, account, by, "credentials.callbacks", &api_key, detail).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// `false`: the account has no API key.
    pub async fn set_account_standing(
        &self,
        account: &AccountId,
        standing: Standing,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let api_key: Option<String> = sqlx::query_scalar(
            "update nexmo_accounts
             set suspended = $2
             where account_id = $1
             returning api_key",
        )
        .bind(account.as_str())
        .bind(standing.is_suspended())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(api_key) = api_key else { return Ok(false) };
        let action = if standing.is_suspended() { "credentials.suspend" } else { "credentials.resume" };
        audit::note(&mut transaction, account, by, action, &api_key, None).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Callbacks are signed with this secret from now on. `false`: the account has no API key.
    pub async fn set_signature_secret(
        &self,
        account: &AccountId,
        secret: &str,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let secret = sealer.seal(place(account), secret);
        let is_set = replace_signature(&mut transaction, account, Some(secret), by).await?;
        transaction.commit().await?;
        Ok(is_set)
    }

    /// Callbacks are not signed from now on. `false`: the account has no API key.
    pub async fn remove_signature_secret(&self, account: &AccountId, by: &By) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let is_removed = replace_signature(&mut transaction, account, None, by).await?;
        transaction.commit().await?;
        Ok(is_removed)
    }

    /// What the account's callbacks are signed with, and the API key that they name. `None`: it has no API key.
    pub async fn find_signature(&self, account: &AccountId) -> Result<Option<Signature>, StoreError> {
        let row: Option<(String, Option<String>)> =
            sqlx::query_as("select api_key, signature_secret from nexmo_accounts where account_id = $1")
                .bind(account.as_str())
                .fetch_optional(&self.pool)
                .await?;
        let Some((api_key, sealed)) = row else { return Ok(None) };
        let secret = match sealed {
            Some(sealed) => Some(self.keys().await?.unseal(place(account), &sealed)?),
            None => None,
        };
        Ok(Some(Signature { api_key, secret }))
    }
}

/// `false`: the account has no API key.
async fn replace_signature(
    connection: &mut PgConnection,
    account: &AccountId,
    sealed: Option<String>,
    by: &By,
) -> Result<bool, StoreError> {
    let detail = json!({"signed": sealed.is_some()});
    let api_key: Option<String> = sqlx::query_scalar(
        "update nexmo_accounts
         set signature_secret = $2
         where account_id = $1
         returning api_key",
    )
    .bind(account.as_str())
    .bind(sealed)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(api_key) = api_key else { return Ok(false) };
    audit::note(connection, account, by, "credentials.signature", &api_key, Some(&detail)).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{Signature, api_key_from_random, signature_secret_from_random};

    #[test]
    fn an_api_key_is_eight_digits_and_a_signature_secret_is_never_shown() {
        assert_eq!(api_key_from_random([0xab, 0, 0x1f, 9]), "ab001f09");
        let secret = signature_secret_from_random([7; 32]);
        assert_eq!(secret.len(), 43);
        let signature = Signature { api_key: "ab001f09".to_owned(), secret: Some(secret.clone()) };
        assert!(!format!("{signature:?}").contains(&secret));
    }
}
