//! API keys. A key's secret is shown once, when it is made; we keep its SHA-256.
//!
//! ```text
//! tk_ 2hBk…43 characters…9Qz 4fK1aP
//!     256 random bits        checksum
//! ```
//!
//! The secret is random, so a plain hash is as good as a slow one. The checksum lets us (and scanners of
//! public code) tell a key from anything else without asking the database.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::audit::{self, By};
use crate::workers::micros;
use crate::{PgConnection, Store, StoreError};

const PREFIX: &str = "tk_";
/// 256 bits in base 62.
pub(crate) const RANDOM_LENGTH: usize = 43;
/// 32 bits in base 62.
const CHECKSUM_LENGTH: usize = 6;
/// What a list shows: enough to tell keys apart, useless to guess the rest.
const SHOWN_LENGTH: usize = PREFIX.len() + 8;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a client sends. Its `Debug` shows the prefix only.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(String);

impl KeySecret {
    pub fn from_random(bits: [u8; 32]) -> Self {
        let body = format!("{PREFIX}{}", base62(&bits, RANDOM_LENGTH));
        let checksum = checksum(&body);
        Self(body + &checksum)
    }

    /// `None` for what cannot be a key of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let is_long_enough = text.len() == PREFIX.len() + RANDOM_LENGTH + CHECKSUM_LENGTH;
        if !is_long_enough || !text.starts_with(PREFIX) || !text.is_ascii() {
            return None;
        }
        let (body, sum) = text.split_at(PREFIX.len() + RANDOM_LENGTH);
        (checksum(body) == sum).then(|| Self(text.to_owned()))
    }

    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// The start of the secret, for lists.
    pub fn prefix(&self) -> &str {
        &self.0[..SHOWN_LENGTH]
    }

    /// The whole secret: for the one moment it is shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

fn checksum(body: &str) -> String {
    base62(&Sha256::digest(body)[..4], CHECKSUM_LENGTH)
}

/// `bytes` as one big number in `length` digits, the highest first.
pub(crate) fn base62(bytes: &[u8], length: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![DIGITS[0]; length];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for byte in &mut number {
            let value = rest * 256 + usize::from(*byte);
            *byte = u8::try_from(value / 62).expect("the rest is below 62, so the quotient is below 256");
            rest = value % 62;
        }
        *digit = DIGITS[rest];
    }
    String::from_utf8(digits).expect("the digits are ASCII")
}

/// What a key may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Look.
    Viewer,
    /// Start instances, and control and repeat them.
    Operator,
    /// Save and delete definitions.
    Author,
    /// Everything.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Author, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A key as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: Uuid,
    pub account: AccountId,
    pub name: String,
    pub scope: Scope,
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey<'a> {
    pub name: &'a str,
    pub scope: Scope,
    /// `None`: it does not expire.
    pub lifetime: Option<Duration>,
}

impl<'a> NewKey<'a> {
    /// That may do everything, for ever.
    pub fn named(name: &'a str) -> Self {
        Self { name, scope: Scope::Admin, lifetime: None }
    }
}

/// What a secret opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub account: AccountId,
    pub key: Uuid,
    pub name: String,
    pub scope: Scope,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: Uuid,
    account_id: String,
    name: String,
    scope: String,
    prefix: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl TryFrom<KeyRow> for Key {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            account: AccountId::new(row.account_id),
            name: row.name,
            scope: read_scope(&row.scope)?,
            prefix: row.prefix,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    }
}

fn read_scope(text: &str) -> Result<Scope, StoreError> {
    Scope::parse(text).ok_or_else(|| StoreError::Damaged(format!("`{text}` is no scope of a key")))
}

impl Store {
    /// Keeps the hash of a new key; `None`: there is no such account.
    pub async fn create_key(
        &self,
        account: &AccountId,
        new: &NewKey<'_>,
        secret: &KeySecret,
        by: &By,
    ) -> Result<Option<Key>, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(key) = insert_key(&mut transaction, account, new, secret).await? else { return Ok(None) };
        note_key(&mut transaction, &key, by, "key.create").await?;
        transaction.commit().await?;
        Ok(Some(key))
    }

    /// The account's keys, also the revoked ones, oldest first.
    pub async fn list_keys(&self, account: &AccountId) -> Result<Vec<Key>, StoreError> {
        let rows: Vec<KeyRow> = sqlx::query_as(
            "select id, account_id, name, scope, prefix, created_at, expires_at, revoked_at
             from api_keys
             where account_id = $1
             order by created_at, id",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Key::try_from).collect()
    }

    /// `false`: no key of this id was in force.
    pub async fn revoke_key(&self, id: Uuid, by: &By) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let revoked: Option<KeyRow> = sqlx::query_as(
            "update api_keys
             set revoked_at = now()
             where id = $1 and revoked_at is null
             returning id, account_id, name, scope, prefix, created_at, expires_at, revoked_at",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(revoked) = revoked else { return Ok(false) };
        note_key(&mut transaction, &revoked.try_into()?, by, "key.revoke").await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// A new key with the name and scope of another one, which expires after `overlap`, if it does not before. The
    /// new one lives as long as the other was to. `None`: no key of this id is in force.
    pub async fn rotate_key(
        &self,
        id: Uuid,
        overlap: Duration,
        secret: &KeySecret,
        by: &By,
    ) -> Result<Option<Key>, StoreError> {
        let mut transaction = self.begin().await?;
        let found: Option<(String, String, String, Option<i64>)> = sqlx::query_as(
            "with old as materialized (
                 select id, account_id, name, scope,
                     (extract(epoch from expires_at - created_at) * 1000000)::bigint as lifetime
                 from api_keys
                 where id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
                 for update
             ), ending as (
                 update api_keys k
                 set expires_at = least(expires_at, now() + $2 * interval '1 microsecond')
                 from old
                 where k.id = old.id
             )
             select account_id, name, scope, lifetime
             from old",
        )
        .bind(id)
        .bind(micros(overlap))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((account, name, scope, lifetime)) = found else { return Ok(None) };
        let lifetime = lifetime.map(|micros| Duration::from_micros(micros.max(0).unsigned_abs()));
        let new = NewKey { name: &name, scope: read_scope(&scope)?, lifetime };
        let key = insert_key(&mut transaction, &AccountId::new(account), &new, secret).await?;
        let key = key.ok_or_else(|| StoreError::Damaged(format!("the account of key {id} is gone")))?;
        note_key(&mut transaction, &key, by, "key.rotate").await?;
        transaction.commit().await?;
        Ok(Some(key))
    }

    /// What a secret opens; `None`: nothing, or its key was revoked or has expired.
    pub async fn authenticate(&self, secret: &KeySecret) -> Result<Option<Opened>, StoreError> {
        let row: Option<(String, Uuid, String, String)> = sqlx::query_as(
            "select account_id, id, name, scope
             from api_keys
             where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
        )
        .bind(secret.hash().as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|(account, key, name, scope)| {
            Ok(Opened { account: AccountId::new(account), key, name, scope: read_scope(&scope)? })
        })
        .transpose()
    }
}

async fn insert_key(
    connection: &mut PgConnection,
    account: &AccountId,
    new: &NewKey<'_>,
    secret: &KeySecret,
) -> Result<Option<Key>, StoreError> {
    let row: Option<KeyRow> = sqlx::query_as(
        "insert into api_keys (id, account_id, name, scope, prefix, hash, expires_at)
         select $1, id, $3, $4, $5, $6, now() + $7 * interval '1 microsecond'
         from accounts
         where id = $2
         returning id, account_id, name, scope, prefix, created_at, expires_at, revoked_at",
    )
    .bind(Uuid::new_v4())
    .bind(account.as_str())
    .bind(new.name)
    .bind(new.scope.as_str())
    .bind(secret.prefix())
    .bind(secret.hash().as_slice())
    .bind(new.lifetime.map(micros))
    .fetch_optional(connection)
    .await?;
    row.map(Key::try_from).transpose()
}

async fn note_key(connection: &mut PgConnection, key: &Key, by: &By, action: &str) -> Result<(), StoreError> {
    let detail = json!({"name": key.name, "scope": key.scope.as_str(), "expiresAt": key.expires_at});
    audit::note(connection, &key.account, by, action, &key.id.to_string(), Some(&detail)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_a_prefix_256_bits_and_a_checksum() {
        let secret = KeySecret::from_random([0xff; 32]);
        assert_eq!(secret.reveal().len(), 52);
        assert!(secret.reveal().starts_with("tk_"));
        assert_eq!(KeySecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.prefix().len(), 11);
        assert!(!format!("{secret:?}").contains(secret.reveal()));
    }

    #[test]
    fn what_is_no_key_is_told_without_the_database() {
        let good = KeySecret::from_random([7; 32]);
        let mut mistyped = good.reveal().to_owned();
        mistyped.replace_range(10..11, if &mistyped[10..11] == "0" { "1" } else { "0" });
        let umlauts = format!("tk_{}", "ä".repeat(25)) + "x";
        for text in ["", "tk_", "x", &good.reveal()[..51], &mistyped, &umlauts] {
            assert_eq!(KeySecret::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_in_base_62_with_leading_zeros() {
        assert_eq!(base62(&[0, 0], 3), "000");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[0xff, 0xff], 3), "H31");
        // 2^256 - 1 has exactly 43 digits, so none is lost.
        assert_ne!(base62(&[0xff; 32], 43).as_bytes()[0], b'0');
        assert_eq!(base62(&[0xff; 32], 44).as_bytes()[0], b'0');
    }
}
