//! Applications: children of an account with a key pair of their own, whose private half only their clients have,
//! and with their own addresses for callbacks.

use chrono::{DateTime, Utc};
use serde_json::json;
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::audit::{self, By};
use crate::nexmo_accounts::{CallbackUrls, Standing};
use crate::{PgConnection, Store, StoreError};

pub type ApplicationId = Uuid;

/// What an account may have.
pub const MOST_APPLICATIONS: i64 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    pub id: ApplicationId,
    pub account: AccountId,
    pub name: String,
    /// PEM (`BEGIN PUBLIC KEY`): the newest, and the only one that counts.
    pub public_key: String,
    pub urls: CallbackUrls,
    pub standing: Standing,
    pub created_at: DateTime<Utc>,
    pub key_changed_at: DateTime<Utc>,
}

/// What may be said about an application besides its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationFields {
    pub name: String,
    pub urls: CallbackUrls,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedApplication {
    Created(Application),
    /// The account has [`MOST_APPLICATIONS`] already.
    TooMany,
    /// The account has no API key, or does not exist.
    NoApiKey,
}

/// Some of an account's applications, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationPage {
    pub applications: Vec<Application>,
    pub total: i64,
}

/// What a token of an application is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationKey {
    pub account: AccountId,
    /// The account's.
    pub api_key: String,
    pub account_standing: Standing,
    pub standing: Standing,
    /// PEM (`BEGIN PUBLIC KEY`).
    pub public_key: String,
}

#[derive(sqlx::FromRow)]
struct ApplicationRow {
    id: Uuid,
    account_id: String,
    name: String,
    public_key: String,
    status_url: Option<String>,
    inbound_url: Option<String>,
    suspended: bool,
    created_at: DateTime<Utc>,
    key_changed_at: DateTime<Utc>,
}

impl From<ApplicationRow> for Application {
    fn from(row: ApplicationRow) -> Self {
        Self {
            id: row.id,
            account: AccountId::new(row.account_id),
            name: row.name,
            public_key: row.public_key,
            urls: CallbackUrls { status: row.status_url, inbound: row.inbound_url },
            standing: Standing::of(row.suspended),
            created_at: row.created_at,
            key_changed_at: row.key_changed_at,
        }
    }
}

impl Store {
    pub async fn create_application(
        &self,
        account: &AccountId,
        id: ApplicationId,
        fields: &ApplicationFields,
        public_key: &str,
        by: &By,
    ) -> Result<CreatedApplication, StoreError> {
        let mut transaction = self.begin().await?;
        // Held, so that of two at the same moment the second counts what the first made.
        let held: Option<i32> =
            sqlx::query_scalar("select 1 from nexmo_accounts where account_id = $1 for update")
                .bind(account.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        if held.is_none() {
            return Ok(CreatedApplication::NoApiKey);
        }
        let row: Option<ApplicationRow> = sqlx::query_as(
            "insert into applications (id, account_id, name, public_key, status_url, inbound_url)
             select $2, $1, $3, $4, $5, $6
             where (select count(*) from applications where account_id = $1) < $7
             returning id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                       key_changed_at",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(&fields.name)
        .bind(public_key)
        .bind(&fields.urls.status)
        .bind(&fields.urls.inbound)
        .bind(MOST_APPLICATIONS)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(application) = row.map(Application::from) else { return Ok(CreatedApplication::TooMany) };
        note(&mut transaction, &application, by, "application.create").await?;
        transaction.commit().await?;
        Ok(CreatedApplication::Created(application))
    }

    /// Of whatever account it is.
    pub async fn find_application(&self, id: ApplicationId) -> Result<Option<Application>, StoreError> {
        let row: Option<ApplicationRow> = sqlx::query_as(
            "select id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                    key_changed_at
             from applications
             where id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(Application::from))
    }

    /// The account's applications, oldest first.
    pub async fn list_applications(
        &self,
        account: &AccountId,
        limit: i64,
        offset: i64,
    ) -> Result<ApplicationPage, StoreError> {
        let total: i64 = sqlx::query_scalar("select count(*) from applications where account_id = $1")
            .bind(account.as_str())
            .fetch_one(&self.pool)
            .await?;
        let rows: Vec<ApplicationRow> = sqlx::query_as(
            "select id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                    key_changed_at
             from applications
             where account_id = $1
             order by created_at, id
             limit $2
             offset $3",
        )
        .bind(account.as_str())
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?;
        Ok(ApplicationPage { applications: rows.into_iter().map(Application::from).collect(), total })
    }

    /// Replaces everything but the key, and the key as well where one is given. `None`: the account has no such
    /// application.
    pub async fn update_application(
        &self,
        account: &AccountId,
        id: ApplicationId,
        fields: &ApplicationFields,
        public_key: Option<&str>,
        by: &By,
    ) -> Result<Option<Application>, StoreError> {
        let mut transaction = self.begin().await?;
        let row: Option<ApplicationRow> = sqlx::query_as(
            "update applications
             set name = $3, status_url = $4, inbound_url = $5,
                 public_key = coalesce($6, public_key),
                 key_changed_at = case when $6 <> public_key then now() else key_changed_at end
             where account_id = $1 and id = $2
             returning id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                       key_changed_at",
        )
        .bind(account.as_str())
        .bind(id)
        .bind(&fields.name)
        .bind(&fields.urls.status)
        .bind(&fields.urls.inbound)
        .bind(public_key)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(application) = row.map(Application::from) else { return Ok(None) };
        note(&mut transaction, &application, by, "application.update").await?;
        transaction.commit().await?;
        Ok(Some(application))
    }

    /// From now on this key alone is valid. `false`: there is no such application.
    pub async fn rotate_application_key(
        &self,
        id: ApplicationId,
        public_key: &str,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let row: Option<ApplicationRow> = sqlx::query_as(
            "update applications
             set public_key = $2, key_changed_at = now()
             where id = $1
             returning id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                       key_changed_at",
        )
        .bind(id)
        .bind(public_key)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(application) = row.map(Application::from) else { return Ok(false) };
        note(&mut transaction, &application, by, "application.rotate").await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// `false`: there is no such application.
    pub async fn set_application_standing(
        &self,
        id: ApplicationId,
        standing: Standing,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let row: Option<ApplicationRow> = sqlx::query_as(
            "update applications
             set suspended = $2
             where id = $1
             returning id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                       key_changed_at",
        )
        .bind(id)
        .bind(standing.is_suspended())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(application) = row.map(Application::from) else { return Ok(false) };
        let action = if standing.is_suspended() { "application.suspend" } else { "application.resume" };
        note(&mut transaction, &application, by, action).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// `false`: the account has no such application.
    pub async fn delete_application(
        &self,
        account: &AccountId,
        id: ApplicationId,
        by: &By,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let row: Option<ApplicationRow> = sqlx::query_as(
            "delete from applications
             where account_id = $1 and id = $2
             returning id, account_id, name, public_key, status_url, inbound_url, suspended, created_at,
                       key_changed_at",
        )
        .bind(account.as_str())
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(application) = row.map(Application::from) else { return Ok(false) };
        note(&mut transaction, &application, by, "application.delete").await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// `None`: there is no such application.
    pub async fn find_application_key(
        &self,
        id: ApplicationId,
    ) -> Result<Option<ApplicationKey>, StoreError> {
        let row: Option<(String, String, bool, bool, String)> = sqlx::query_as(
            "select a.account_id, n.api_key, n.suspended, a.suspended, a.public_key
             from applications a
             join nexmo_accounts n on n.account_id = a.account_id
             where a.id = $1",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(account, api_key, account_suspended, suspended, public_key)| ApplicationKey {
            account: AccountId::new(account),
            api_key,
            account_standing: Standing::of(account_suspended),
            standing: Standing::of(suspended),
            public_key,
        }))
    }
}

/// Without its addresses: they may have a password in them.
async fn note(
    connection: &mut PgConnection,
    application: &Application,
    by: &By,
    action: &str,
) -> Result<(), StoreError> {
    let Application { id, account, name, key_changed_at, .. } = application;
    let detail = json!({"name": name, "keyChangedAt": key_changed_at});
    audit::note(connection, account, by, action, &id.to_string(), Some(&detail)).await
}
