//! Workflows whose instance ended, or lost its parent, without anybody who could say so: marked in the transaction in
//! which that happened, and ended by upkeep.

use chrono::{DateTime, Utc};
use trunkline_workflow::dispatch::{Outcome, Price};
use trunkline_workflow::{AccountId, InstanceId};

use super::DEFINITION;
use crate::audit::By;
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError};

/// Workflows ended in one go.
const BATCH: i64 = 100;

/// These instances ended by a fault, or are removed: the workflows that they are have failed, and those that they started
/// are nobody's.
pub(crate) async fn seal_fate(
    connection: &mut PgConnection,
    instances: &[InstanceId],
) -> Result<(), StoreError> {
    sqlx::query(
        "update dispatches
         set fate = case when instance_id = any($1) then 'error' else 'cancelled' end
         where (instance_id = any($1) or parent = any($1)) and outcome is null and fate is null",
    )
    .bind(instances.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Ends a batch of marked workflows: reported as failed, or terminated. Answers how many ended.
    pub async fn end_fated(&self, fee: Price, at: DateTime<Utc>) -> Result<usize, StoreError> {
        let fated: Vec<(String, Vec<u8>, String)> = sqlx::query_as(
            "select account_id, instance_id, fate
             from dispatches
             where fate is not null and outcome is null
             order by created_at
             limit $1",
        )
        .bind(BATCH)
        .fetch_all(&self.pool)
        .await?;
        let mut count = 0;
        for (account, instance, fate) in &fated {
            let (account, instance) = (AccountId::new(account), read_id(instance)?);
            let ended = if fate == "cancelled" {
                self.cancel_fated(&account, instance).await
            } else {
                self.end_dispatch(&account, instance, Outcome::Error, fee, at).await
            };
            match ended {
                Ok(()) => count += 1,
                Err(error) if error.may_pass() => return Err(error),
                // The others are not to wait for it.
                Err(error) => {
                    let instance = instance.to_string();
                    tracing::error!(account.id = %account, instance, error = %error, "a workflow cannot be ended");
                }
            }
        }
        Ok(count)
    }

    async fn cancel_fated(&self, account: &AccountId, instance: InstanceId) -> Result<(), StoreError> {
        use trunkline_workflow::control::Command::Terminate;
        self.control(account, DEFINITION, instance, Terminate, &By::trunkline()).await?;
        // Its instance may be gone, or have ended otherwise in this moment.
        let mut transaction = self.begin().await?;
        super::cancelled(&mut transaction, account, instance).await?;
        transaction.commit().await?;
        Ok(())
    }
}
