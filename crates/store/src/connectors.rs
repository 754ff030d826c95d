//! How an account reaches its providers: settings that may be shown, and a secret that is sealed.
//!
//! A subaccount may have a connector of its own; the others share the account's.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trunkline_workflow::AccountId;

use crate::audit::{self, By};
use crate::sealing::{MasterKeys, Place, hex, key_id};
use crate::{Store, StoreError};

/// The providers that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectorKind {
    /// Messages and calls.
    EightByEight,
    /// Where conversations are handed over to.
    Converse,
    /// Messages of workflows.
    MessagesApi,
}

impl ConnectorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EightByEight => "8x8",
            Self::Converse => "converse",
            Self::MessagesApi => "messages-api",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::EightByEight, Self::Converse, Self::MessagesApi].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Connector {
    pub account: AccountId,
    pub kind: ConnectorKind,
    /// `None`: of the account, for all its subaccounts without one of their own.
    pub subaccount: Option<String>,
    pub settings: Value,
    pub secret: Option<String>,
    pub changed_at: DateTime<Utc>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("account", &self.account)
            .field("kind", &self.kind)
            .field("subaccount", &self.subaccount)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A connector as it stands in the list, whether or not its secret can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedConnector {
    pub kind: ConnectorKind,
    pub subaccount: Option<String>,
    pub settings: Value,
    pub secret: ListedSecret,
    /// With which the provider signs what it sends.
    pub signature_secret: ListedSecret,
    pub changed_at: DateTime<Utc>,
}

/// Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub enum ListedSecret {
    None,
    Opened(String),
    /// With the id of the master key that it takes; damaged, if the store has that key.
    Sealed(String),
}

impl ListedSecret {
    fn new(opened: Option<String>, sealed: Option<&str>) -> Self {
        match (opened, sealed) {
            (_, None) => Self::None,
            (Some(secret), _) => Self::Opened(secret),
            (None, Some(sealed)) => Self::Sealed(key_id(sealed).unwrap_or("?").to_owned()),
        }
    }
}

impl fmt::Debug for ListedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Opened(_) => f.write_str("Opened(…)"),
            Self::Sealed(key) => f.debug_tuple("Sealed").field(key).finish(),
        }
    }
}

/// What is to be written down; `secret` is plain yet.
#[derive(Clone, Copy)]
pub struct NewConnector<'a> {
    pub account: &'a AccountId,
    pub kind: ConnectorKind,
    pub subaccount: Option<&'a str>,
    pub settings: &'a Value,
    pub secret: Option<&'a str>,
}

/// With what the provider signs its webhooks from now on.
#[derive(Clone, Copy)]
pub enum NewSignature<'a> {
    /// With nothing.
    None,
    /// With what it was before, if the connector was there.
    AsBefore,
    Secret(&'a str),
}

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    subaccount_id: String,
    settings: String,
    secret: Option<String>,
    signature_secret: Option<String>,
    changed_at: DateTime<Utc>,
}

impl Row {
    fn kind(&self) -> Result<ConnectorKind, StoreError> {
        ConnectorKind::parse(&self.kind)
            .ok_or_else(|| StoreError::Damaged(format!("unknown connector `{}`", self.kind)))
    }

    fn settings(&self) -> Result<Value, StoreError> {
        serde_json::from_str(&self.settings)
            .map_err(|error| StoreError::Damaged(format!("connectors.settings: {error}")))
    }

    fn subaccount(&self) -> Option<String> {
        Some(self.subaccount_id.clone()).filter(|id| !id.is_empty())
    }

    fn unseal(&self, keys: &MasterKeys, account: &AccountId) -> Result<Option<String>, StoreError> {
        let row = row_name(self.kind()?, &self.subaccount_id, &self.settings);
        let place = Place { column: SECRET, account, row: &row };
        self.secret.as_ref().map(|sealed| keys.unseal(place, sealed)).transpose()
    }

    async fn read(self, store: &Store, account: &AccountId) -> Result<Connector, StoreError> {
        let secret = match &self.secret {
            Some(_) => self.unseal(store.keys().await?.keys, account)?,
            None => None,
        };
        Ok(Connector {
            account: account.clone(),
            kind: self.kind()?,
            settings: self.settings()?,
            secret,
            subaccount: self.subaccount(),
            changed_at: self.changed_at,
        })
    }

    fn list(&self, keys: Option<&MasterKeys>, account: &AccountId) -> Result<ListedConnector, StoreError> {
        let secret = keys.and_then(|keys| self.unseal(keys, account).ok().flatten());
        let signature = keys.zip(self.signature_secret.as_ref()).and_then(|(keys, sealed)| {
            let row = signature_row_name(self.kind().ok()?, &self.subaccount_id);
            keys.unseal(Place { column: SIGNATURE_SECRET, account, row: &row }, sealed).ok()
        });
        Ok(ListedConnector {
            kind: self.kind()?,
            subaccount: self.subaccount(),
            settings: self.settings()?,
            secret: ListedSecret::new(secret, self.secret.as_deref()),
            signature_secret: ListedSecret::new(signature, self.signature_secret.as_deref()),
            changed_at: self.changed_at,
        })
    }
}

/// For the audit: `8x8`, or `8x8/shop` for a subaccount's.
fn object_name(kind: ConnectorKind, subaccount: Option<&str>) -> String {
    subaccount
        .map_or_else(|| kind.as_str().to_owned(), |subaccount| format!("{}/{subaccount}", kind.as_str()))
}

pub(crate) const SECRET: &str = "connectors.secret";

/// What a secret is sealed for, besides the account. The settings say where it is sent: whoever changes them in
/// the database does not get it sent elsewhere.
pub(crate) fn row_name(kind: ConnectorKind, subaccount: &str, settings: &str) -> String {
    format!("{}/{subaccount}/{}", kind.as_str(), hex(&Sha256::digest(settings)))
}

pub(crate) const SIGNATURE_SECRET: &str = "connectors.signature_secret";

/// What a signature secret is sealed for, besides the account. It is sent nowhere, so the settings are no part of it.
pub(crate) fn signature_row_name(kind: ConnectorKind, subaccount: &str) -> String {
    format!("{}/{subaccount}", kind.as_str())
}

impl Store {
    /// Makes the connector, or replaces the one that is there, whole. `false`: there is no such account.
    pub async fn set_connector(&self, new: NewConnector<'_>, by: &By) -> Result<bool, StoreError> {
        self.set_signing_connector(new, NewSignature::None, by).await
    }

    /// Makes the connector, or replaces the one that is there. `false`: there is no such account.
    pub async fn set_signing_connector(
        &self,
        new: NewConnector<'_>,
        signature: NewSignature<'_>,
        by: &By,
    ) -> Result<bool, StoreError> {
        let subaccount = new.subaccount.unwrap_or_default();
        let settings = new.settings.to_string();
        let row = row_name(new.kind, subaccount, &settings);
        let place = Place { column: SECRET, account: new.account, row: &row };
        let row = signature_row_name(new.kind, subaccount);
        let signature_place = Place { column: SIGNATURE_SECRET, account: new.account, row: &row };
        let mut transaction = self.begin().await?;
        let sealer = self.sealer(&mut transaction).await?;
        let (as_before, signature) = match signature {
            NewSignature::None => (false, None),
            NewSignature::AsBefore => (true, None),
            NewSignature::Secret(secret) => (false, Some(sealer.seal(signature_place, secret))),
        };
        let set = sqlx::query(
            "insert into connectors as c (account_id, kind, subaccount_id, settings, secret, signature_secret)
             select id, $2, $3, $4, $5, $6
             from accounts
             where id = $1
             on conflict (account_id, kind, subaccount_id) do update
             set settings = excluded.settings, secret = excluded.secret, changed_at = now(),
                 signature_secret = case when $7 then c.signature_secret else excluded.signature_secret end",
        )
        .bind(new.account.as_str())
        .bind(new.kind.as_str())
        .bind(subaccount)
        .bind(settings)
        .bind(new.secret.map(|secret| sealer.seal(place, secret)))
        .bind(signature)
        .bind(as_before)
        .execute(&mut *transaction)
        .await?;
        if set.rows_affected() == 0 {
            return Ok(false);
        }
        let object = object_name(new.kind, new.subaccount);
        audit::note(&mut transaction, new.account, by, "connector.set", &object, None).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// All of the account's, its own before those of subaccounts. Needs no master key, and does not make those
    /// of the store the database's.
    pub async fn list_connectors(&self, account: &AccountId) -> Result<Vec<ListedConnector>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select kind, subaccount_id, settings, secret, signature_secret, changed_at
             from connectors
             where account_id = $1
             order by kind, subaccount_id",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| row.list(self.keys.as_ref(), account)).collect()
    }

    /// The very one: not the account's in place of a subaccount's. Otherwise as in the list.
    pub async fn look_up_connector(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
    ) -> Result<Option<ListedConnector>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select kind, subaccount_id, settings, secret, signature_secret, changed_at
             from connectors
             where account_id = $1 and kind = $2 and subaccount_id = $3",
        )
        .bind(account.as_str())
        .bind(kind.as_str())
        .bind(subaccount.unwrap_or_default())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| row.list(self.keys.as_ref(), account)).transpose()
    }

    /// `false`: there was none.
    pub async fn remove_connector(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let removed = sqlx::query(
            "delete from connectors
             where account_id = $1 and kind = $2 and subaccount_id = $3",
        )
        .bind(account.as_str())
        .bind(kind.as_str())
        .bind(subaccount.unwrap_or_default())
        .execute(&mut *transaction)
        .await?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        let object = object_name(kind, subaccount);
        audit::note(&mut transaction, account, by, "connector.remove", &object, None).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The subaccount's own connector, else the account's.
    pub async fn find_connector(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
    ) -> Result<Option<Connector>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select kind, subaccount_id, settings, secret, signature_secret, changed_at
             from connectors
             where account_id = $1 and kind = $2 and subaccount_id in ('', $3)
             order by subaccount_id desc
             limit 1",
        )
        .bind(account.as_str())
        .bind(kind.as_str())
        .bind(subaccount.unwrap_or_default())
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => row.read(self, account).await.map(Some),
            None => Ok(None),
        }
    }

    /// With what the provider signs the webhooks of the account itself. `None`: it does not sign them.
    pub async fn find_provider_signature(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
    ) -> Result<Option<String>, StoreError> {
        let sealed: Option<String> = sqlx::query_scalar(
            "select signature_secret
             from connectors
             where account_id = $1 and kind = $2 and subaccount_id = '' and signature_secret is not null",
        )
        .bind(account.as_str())
        .bind(kind.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let row = signature_row_name(kind, "");
        let place = Place { column: SIGNATURE_SECRET, account, row: &row };
        self.keys().await?.unseal(place, &sealed).map(Some)
    }
}
