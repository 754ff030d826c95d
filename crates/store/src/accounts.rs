//! Accounts: the tenants that everything else belongs to.

use chrono::{DateTime, Utc};
use trunkline_workflow::AccountId;

use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// `false`: there was one of this name already. The id must not be empty.
    pub async fn create_account(&self, account: &AccountId) -> Result<bool, StoreError> {
        let created = sqlx::query("insert into accounts (id) values ($1) on conflict do nothing")
            .bind(account.as_str())
            .execute(&self.pool)
            .await?;
        Ok(created.rows_affected() == 1)
    }

    /// In the order of their ids.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        let rows: Vec<(String, DateTime<Utc>)> =
            sqlx::query_as("select id, created_at from accounts order by id").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id, created_at)| Account { id: AccountId::new(id), created_at }).collect())
    }

    pub async fn account_exists(&self, account: &AccountId) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("select exists (select from accounts where id = $1)")
            .bind(account.as_str())
            .fetch_one(&self.pool)
            .await?)
    }
}
