//! How an account reaches its providers: settings that may be shown, and a secret that is sealed.
//!
//! A subaccount may have a connector of its own; the others share the account's.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use trunkline_workflow::AccountId;

use crate::sealing::Place;
use crate::{Store, StoreError};

/// The providers that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectorKind {
    /// Messages and calls.
    EightByEight,
    /// Where conversations are handed over to.
    Converse,
}

impl ConnectorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EightByEight => "8x8",
            Self::Converse => "converse",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::EightByEight, Self::Converse].into_iter().find(|kind| kind.as_str() == text)
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

/// What is to be written down; `secret` is plain yet.
#[derive(Clone, Copy)]
pub struct NewConnector<'a> {
    pub account: &'a AccountId,
    pub kind: ConnectorKind,
    pub subaccount: Option<&'a str>,
    pub settings: &'a Value,
    pub secret: Option<&'a str>,
}

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    subaccount_id: String,
    settings: String,
    secret: Option<String>,
    changed_at: DateTime<Utc>,
}

impl Row {
    fn read(self, store: &Store, account: &AccountId) -> Result<Connector, StoreError> {
        let kind = ConnectorKind::parse(&self.kind)
            .ok_or_else(|| StoreError::Damaged(format!("unknown connector `{}`", self.kind)))?;
        let row = row_name(kind, &self.subaccount_id);
        let place = Place { column: SECRET, account, row: &row };
        let unseal = |sealed: String| store.keys()?.unseal(place, &sealed);
        Ok(Connector {
            account: account.clone(),
            kind,
            settings: serde_json::from_str(&self.settings)
                .map_err(|error| StoreError::Damaged(format!("connectors.settings: {error}")))?,
            secret: self.secret.map(unseal).transpose()?,
            subaccount: Some(self.subaccount_id).filter(|id| !id.is_empty()),
            changed_at: self.changed_at,
        })
    }
}

const SECRET: &str = "connectors.secret";

/// What a secret is sealed for, besides the account.
fn row_name(kind: ConnectorKind, subaccount: &str) -> String {
    format!("{}/{subaccount}", kind.as_str())
}

impl Store {
    /// Makes the connector, or replaces the one that is there, whole. `false`: there is no such account.
    pub async fn set_connector(&self, new: NewConnector<'_>) -> Result<bool, StoreError> {
        let subaccount = new.subaccount.unwrap_or_default();
        let row = row_name(new.kind, subaccount);
        let place = Place { column: SECRET, account: new.account, row: &row };
        let keys = self.keys()?;
        let set = sqlx::query(
            "insert into connectors (account_id, kind, subaccount_id, settings, secret)
             select id, $2, $3, $4, $5
             from accounts
             where id = $1
             on conflict (account_id, kind, subaccount_id) do update
             set settings = excluded.settings, secret = excluded.secret, changed_at = now()",
        )
        .bind(new.account.as_str())
        .bind(new.kind.as_str())
        .bind(subaccount)
        .bind(new.settings.to_string())
        .bind(new.secret.map(|secret| keys.seal(place, secret)))
        .execute(&self.pool)
        .await?;
        Ok(set.rows_affected() == 1)
    }

    /// All of the account's, its own before those of subaccounts.
    pub async fn list_connectors(&self, account: &AccountId) -> Result<Vec<Connector>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select kind, subaccount_id, settings, secret, changed_at
             from connectors
             where account_id = $1
             order by kind, subaccount_id",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.read(self, account)).collect()
    }

    /// `false`: there was none.
    pub async fn remove_connector(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
    ) -> Result<bool, StoreError> {
        let removed = sqlx::query(
            "delete from connectors
             where account_id = $1 and kind = $2 and subaccount_id = $3",
        )
        .bind(account.as_str())
        .bind(kind.as_str())
        .bind(subaccount.unwrap_or_default())
        .execute(&self.pool)
        .await?;
        Ok(removed.rows_affected() == 1)
    }

    /// The subaccount's own connector, else the account's.
    pub async fn find_connector(
        &self,
        account: &AccountId,
        kind: ConnectorKind,
        subaccount: Option<&str>,
    ) -> Result<Option<Connector>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select kind, subaccount_id, settings, secret, changed_at
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
        row.map(|row| row.read(self, account)).transpose()
    }
}
