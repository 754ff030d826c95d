//! Jobs of a definition that is paused.

use trunkline_workflow::limits::Reason;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, JobId};

use super::queue;
use crate::{Store, StoreError};

impl Store {
    /// The definition of the instance whose step started this workflow.
    pub async fn definition_of_parent(
        &self,
        instance: InstanceId,
    ) -> Result<Option<DefinitionId>, StoreError> {
        Ok(sqlx::query_scalar(
            "select i.definition_id
             from dispatches d
             join instances i on i.id = d.parent
             where d.instance_id = $1",
        )
        .bind(instance.as_bytes().as_slice())
        .fetch_optional(&self.pool)
        .await?)
    }

    /// The job is about to be parked until somebody resumes its definition.
    pub async fn wait_for_definition(
        &self,
        account: &AccountId,
        definition: DefinitionId,
        job: JobId,
        path: i32,
    ) -> Result<(), StoreError> {
        let reason = serde_json::to_string(&Reason::DefinitionPaused).expect("plain data is JSON");
        sqlx::query(
            "insert into leaves (instance_id, n, path, account_id, queue, by_time, reason, asked_at, looked_at)
             values ($1, $2, $3, $4, $5, false, $6, clock_timestamp(), clock_timestamp())
             on conflict (instance_id, n) do update
             set queue = excluded.queue, by_time = false, reason = excluded.reason",
        )
        .bind(job.instance.as_bytes().as_slice())
        .bind(job.n)
        .bind(path)
        .bind(account.as_str())
        .bind(queue::of_pause(definition))
        .bind(reason)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
