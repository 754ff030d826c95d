//! What accounts want to be kept in the history of their instances.

use serde_json::json;
use trunkline_workflow::AccountId;
use trunkline_workflow::history_policy::{Bodies, HistoryPolicy};

use crate::audit::{By, note};
use crate::sealing::Place;
use crate::{Store, StoreError};

impl Store {
    /// The default, where the account says nothing.
    pub async fn history_policy(&self, account: &AccountId) -> Result<HistoryPolicy, StoreError> {
        let row: Option<(String, Vec<String>, Vec<String>)> = sqlx::query_as(
            "select bodies, headers, members
             from history_policies
             where account_id = $1",
        )
        .bind(account.as_str())
        .fetch_optional(&self.pool)
        .await?;
        let Some((bodies, headers, members)) = row else { return Ok(HistoryPolicy::default()) };
        let bodies =
            Bodies::parse(&bodies).ok_or_else(|| StoreError::Damaged(format!("policy `{bodies}`")))?;
        Ok(HistoryPolicy { bodies, headers, members })
    }

    /// For what is written from now on. `false`: there is no such account.
    pub async fn set_history_policy(
        &self,
        account: &AccountId,
        policy: &HistoryPolicy,
        by: &By,
    ) -> Result<bool, StoreError> {
        let HistoryPolicy { bodies, headers, members } = policy;
        let mut transaction = self.begin().await?;
        let set = sqlx::query(
            "insert into history_policies (account_id, bodies, headers, members)
             select id, $2, $3, $4
             from accounts
             where id = $1
             on conflict (account_id) do update
             set bodies = excluded.bodies, headers = excluded.headers, members = excluded.members,
                 changed_at = now()",
        )
        .bind(account.as_str())
        .bind(bodies.as_str())
        .bind(headers)
        .bind(members)
        .execute(&mut *transaction)
        .await?;
        if set.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = json!({"bodies": bodies, "headers": headers, "members": members});
        let (action, object) = ("history-policy.set", account.as_str());
        note(&mut transaction, account, by, action, object, Some(&detail)).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// With what the account's history hashes. Whoever has the database alone cannot try out phone numbers. Another
    /// master key, other hashes; `None` without one.
    pub fn history_key(&self, account: &AccountId) -> Option<[u8; 32]> {
        let place = Place { column: "attempts.detail", account, row: "" };
        Some(self.master_keys()?.first().derive(place))
    }
}
