//! Instances that did not come to their end: those that failed, and those that somebody terminated.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, Version};

use super::fingerprint::Fingerprint;
use super::former;
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError};

/// Characters of a message that are kept here; the log has all.
const LONGEST: usize = 2_000;
/// Instances that one look passes.
const PASSED: i64 = 5_000;
const TERMINATED: &str = "Terminated";

#[derive(Debug)]
pub(crate) struct NewFailure {
    pub(crate) instance: InstanceId,
    pub(crate) account: String,
    pub(crate) definition: DefinitionId,
    pub(crate) version: Version,
    pub(crate) step: String,
    pub(crate) message: String,
    /// Now, when it is not said.
    pub(crate) at: Option<DateTime<Utc>>,
}

/// In the transaction in which they end.
pub(crate) async fn note_failures(
    connection: &mut PgConnection,
    failures: &[NewFailure],
) -> Result<(), StoreError> {
    if failures.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into failures (instance_id, account_id, definition_id, version, step, message, fingerprint,
             failed_at)
         select id, account, definition, version, step, message, fingerprint, coalesce(at, now())
         from unnest($1::bytea[], $2::text[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::bigint[],
             $8::timestamptz[])
             as t (id, account, definition, version, step, message, fingerprint, at)
         on conflict do nothing",
    )
    .bind(failures.iter().map(|failure| &failure.instance.as_bytes()[..]).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.account.as_str()).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.definition).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.version).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.step.as_str()).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| beginning(&failure.message)).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| Fingerprint::of(&failure.message).0).collect::<Vec<_>>())
    .bind(failures.iter().map(|failure| failure.at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// In the transaction in which somebody terminates it.
pub(crate) async fn note_stopped(
    connection: &mut PgConnection,
    account: &AccountId,
    instance: InstanceId,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into search_terms (account_id, term, instance_id)
         values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(account.as_str())
    .bind(former::of_stopped())
    .bind(&instance.as_bytes()[..])
    .execute(connection)
    .await?;
    Ok(())
}

fn beginning(message: &str) -> &str {
    message.char_indices().nth(LONGEST).map_or(message, |(end, _)| &message[..end])
}

impl Store {
    /// Writes down the ends of instances that ended before there was a place for it, a piece at a time; `true`:
    /// there may be more. As long as workers of another version are alive nothing is done: an older one may still
    /// end instances without a word.
    pub async fn note_older_failures(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        // Whatever is started from now on is written down when it ends.
        let walk: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "update search_marks
             set until = coalesce(until, decode(lpad(to_hex(extract(epoch from now())::bigint + 600), 8, '0'), 'hex'))
             where walk = 'failures' and (until is null or mark < until)
                 and (
                     select count(distinct version) from workers where lost_at is null and leased_until > now()
                 ) <= 1
             returning mark, until",
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((mark, until)) = walk else { return Ok(false) };
        let passed: Vec<Passed> = sqlx::query_as(
            "select id, account_id, definition_id, version, status, completed_at
             from instances
             where id > $1 and id < $2
             order by id
             limit $3",
        )
        .bind(&mark)
        .bind(&until)
        .bind(PASSED)
        .fetch_all(&mut *transaction)
        .await?;
        let more = i64::try_from(passed.len()).is_ok_and(|count| count >= PASSED);
        let reached = passed.last().map(|last| last.id.clone()).filter(|_| more).unwrap_or(until);
        let ended: Vec<Passed> = passed.into_iter().filter(|one| one.status == TERMINATED).collect();
        write_older(&mut transaction, ended).await?;
        sqlx::query("update search_marks set mark = $1 where walk = 'failures'")
            .bind(&reached)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(more)
    }
}

/// An instance that the walk came by.
#[derive(sqlx::FromRow)]
struct Passed {
    id: Vec<u8>,
    account_id: String,
    definition_id: DefinitionId,
    version: Version,
    status: String,
    completed_at: Option<DateTime<Utc>>,
}

/// Terminated ones: what the log says of a failed step, or that there was none.
async fn write_older(connection: &mut PgConnection, ended: Vec<Passed>) -> Result<(), StoreError> {
    let ids: Vec<&[u8]> = ended.iter().map(|one| &one.id[..]).collect();
    let failed: Vec<(Vec<u8>, String, String)> = sqlx::query_as(
        "select distinct on (instance_id) instance_id, name, coalesce(error, '')
         from steps
         where instance_id = any($1) and status = 'Failed'
         order by instance_id, n desc",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let mut failed: HashMap<Vec<u8>, (String, String)> =
        failed.into_iter().map(|(id, step, message)| (id, (step, message))).collect();
    let mut failures = Vec::new();
    for one in ended {
        let instance = read_id(&one.id)?;
        let Some((step, message)) = failed.remove(&one.id) else {
            note_stopped(&mut *connection, &AccountId::new(one.account_id), instance).await?;
            continue;
        };
        failures.push(NewFailure {
            instance,
            account: one.account_id,
            definition: one.definition_id,
            version: one.version,
            step,
            message,
            at: one.completed_at,
        });
    }
    note_failures(connection, &failures).await
}
