//! The secrets that go with an account's API key: one or two at a time, so that a new one can be given to every
//! client before the old one is revoked. We keep their SHA-256; they are random, so a plain hash is as good as a
//! slow one.

use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::audit::{self, By};
use crate::keys::{RANDOM_LENGTH, base62};
use crate::nexmo_accounts::Standing;
use crate::{Store, StoreError};

/// What a list shows of a secret: enough to tell two apart.
const SHOWN_LENGTH: usize = 6;

/// What a client sends behind the API key. Its `Debug` shows the beginning only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(String);

impl ApiSecret {
    /// Letters and digits only: it stands in configurations, shells and URLs of any kind.
    pub fn from_random(bits: [u8; 32]) -> Self {
        Self(base62(&bits, RANDOM_LENGTH))
    }

    /// The whole secret: for the one moment it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    fn prefix(&self) -> &str {
        &self.0[..SHOWN_LENGTH]
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

/// A secret as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ListedSecret {
    pub id: Uuid,
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedSecret {
    /// With its id.
    Added(Uuid),
    /// Two are in force already.
    TooMany,
    /// The account has no API key.
    NoApiKey,
}

/// Who has an API key, and what it is believed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    pub account: AccountId,
    pub standing: Standing,
    /// The hashes of the secrets in force.
    pub secrets: Vec<[u8; 32]>,
}

impl Store {
    pub async fn add_secret(
        &self,
        account: &AccountId,
        secret: &ApiSecret,
        by: &By,
    ) -> Result<AddedSecret, StoreError> {
        let mut transaction = self.begin().await?;
        // Held, so that of two at the same moment the second sees what the first took.
        let held: Option<i32> =
            sqlx::query_scalar("select 1 from nexmo_accounts where account_id = $1 for update")
                .bind(account.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        if held.is_none() {
            return Ok(AddedSecret::NoApiKey);
        }
        let added: Option<Uuid> = sqlx::query_scalar(
            "insert into nexmo_secrets (id, account_id, slot, prefix, hash)
             select $1, $2, min(slot), $3, $4
             from unnest(array[1, 2]) as free (slot)
             where slot not in (select slot from nexmo_secrets where account_id = $2 and revoked_at is null)
             having min(slot) is not null
             returning id",
        )
        .bind(Uuid::new_v4())
        .bind(account.as_str())
        .bind(secret.prefix())
        .bind(secret.hash().as_slice())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(id) = added else { return Ok(AddedSecret::TooMany) };
        audit::note(&mut transaction, account, by, "secret.create", &id.to_string(), None).await?;
        transaction.commit().await?;
        Ok(AddedSecret::Added(id))
    }

    /// The account's secrets, also the revoked ones, oldest first.
    pub async fn list_secrets(&self, account: &AccountId) -> Result<Vec<ListedSecret>, StoreError> {
        Ok(sqlx::query_as(
            "select id, prefix, created_at, revoked_at
             from nexmo_secrets
             where account_id = $1
             order by created_at, id",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?)
    }

    /// `false`: no secret of this id was in force.
    pub async fn revoke_secret(&self, id: Uuid, by: &By) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let account: Option<String> = sqlx::query_scalar(
            "update nexmo_secrets
             set revoked_at = now()
             where id = $1 and revoked_at is null
             returning account_id",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(account) = account.map(AccountId::new) else { return Ok(false) };
        audit::note(&mut transaction, &account, by, "secret.revoke", &id.to_string(), None).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Whose API key this is, and which secrets are in force; `None`: nobody's. The key must be without NUL.
    pub async fn find_key_holder(&self, api_key: &str) -> Result<Option<KeyHolder>, StoreError> {
        let row: Option<(String, bool, Vec<Vec<u8>>)> = sqlx::query_as(
            "select account_id, suspended,
                    array(
                        select s.hash
                        from nexmo_secrets s
                        where s.account_id = a.account_id and s.revoked_at is null
                        order by s.slot
                    )
             from nexmo_accounts a
             where api_key = $1",
        )
        .bind(api_key)
        .fetch_optional(&self.pool)
        .await?;
        let Some((account, suspended, hashes)) = row else { return Ok(None) };
        let hash = |bytes: Vec<u8>| {
            let length = bytes.len();
            bytes
                .try_into()
                .map_err(|_| StoreError::Damaged(format!("nexmo_secrets.hash has {length} bytes and not 32")))
        };
        let secrets = hashes.into_iter().map(hash).collect::<Result<_, _>>()?;
        Ok(Some(KeyHolder { account: AccountId::new(account), standing: Standing::of(suspended), secrets }))
    }
}

#[cfg(test)]
mod tests {
    use super::ApiSecret;

    #[test]
    fn a_secret_has_256_bits_in_letters_and_digits_and_hides_itself() {
        let secret = ApiSecret::from_random([0xff; 32]);
        assert_eq!(secret.reveal().len(), 43);
        assert!(secret.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(!format!("{secret:?}").contains(secret.reveal()));
        assert_ne!(secret.hash(), ApiSecret::from_random([0xfe; 32]).hash());
    }
}
