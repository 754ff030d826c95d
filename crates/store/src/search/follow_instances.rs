//! Upkeep writes down what instances are found by, some time after their start: a walk up the ids, as far as nobody
//! starts any more. Those that were unfinished then are looked at again until they have ended, because their contexts
//! change.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use trunkline_workflow::{DefinitionId, InstanceId, Version};

use super::terms::{self, Term, Values};
use crate::waits::read_id;
use crate::workers::micros;
use crate::{PgConnection, Store, StoreError};

/// Instances of one step of a walk.
const STEP: i64 = 2_000;

#[derive(sqlx::FromRow)]
struct Passed {
    id: Vec<u8>,
    account_id: Option<String>,
    definition_id: Option<DefinitionId>,
    version: Option<Version>,
    data: Option<String>,
    completed_at: Option<DateTime<Utc>>,
}

/// From where on instances have no terms yet.
pub(super) async fn mark(executor: impl PgExecutor<'_>) -> Result<InstanceId, StoreError> {
    let mark: Vec<u8> =
        sqlx::query_scalar("select mark from search_marks where walk = 'terms'").fetch_one(executor).await?;
    if mark.is_empty() { Ok(InstanceId::from_parts(0, [0; 5], 0)) } else { read_id(&mark) }
}

impl Store {
    /// One step; `true`: there may be more. What was started less than `lag` ago is left for later: an id is made a
    /// moment before its instance is there, on a machine whose clock may be wrong.
    pub async fn follow_instances(&self, lag: Duration) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let (mark, horizon): (Vec<u8>, Vec<u8>) = sqlx::query_as(
            "select mark, decode(
                 lpad(to_hex(floor(extract(epoch from now() - $1 * interval '1 microsecond'))::bigint + 1), 8, '0')
                     || repeat('0', 16), 'hex')
             from search_marks
             where walk = 'terms'
             for update",
        )
        .bind(micros(lag))
        .fetch_one(&mut *transaction)
        .await?;
        if mark >= horizon {
            return Ok(false);
        }
        let passed: Vec<Passed> = sqlx::query_as(
            "select id, account_id, definition_id, version, data, completed_at
             from instances
             where id >= $1 and id < $2
             order by id
             limit $3",
        )
        .bind(&mark)
        .bind(&horizon)
        .bind(STEP)
        .fetch_all(&mut *transaction)
        .await?;
        let more = i64::try_from(passed.len()).is_ok_and(|count| count >= STEP);
        // The mark itself is not passed yet.
        let reached = passed.last().map(|last| after(&last.id)).filter(|_| more).unwrap_or(horizon);
        write_terms(&mut transaction, &passed).await?;
        let open: Vec<&[u8]> =
            passed.iter().filter(|one| one.completed_at.is_none()).map(|one| &one.id[..]).collect();
        sqlx::query(
            "insert into search_open (instance_id)
             select * from unnest($1::bytea[])
             on conflict do nothing",
        )
        .bind(&open)
        .execute(&mut *transaction)
        .await?;
        set_mark(&mut transaction, "terms", &reached).await?;
        transaction.commit().await?;
        Ok(more)
    }

    /// One step of the walk over those that were unfinished, which begins again at its end; `true`: most of them have
    /// ended, and the next ones may have, too.
    pub async fn follow_unfinished(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let mark: Vec<u8> =
            sqlx::query_scalar("select mark from search_marks where walk = 'open' for update")
                .fetch_one(&mut *transaction)
                .await?;
        let passed: Vec<Passed> = sqlx::query_as(
            "select o.instance_id as id, i.account_id, i.definition_id, i.version, i.data, i.completed_at
             from (
                 select instance_id
                 from search_open
                 where instance_id > $1
                 order by instance_id
                 limit $2
             ) o
             left join instances i on i.id = o.instance_id
             order by 1",
        )
        .bind(&mark)
        .bind(STEP)
        .fetch_all(&mut *transaction)
        .await?;
        write_terms(&mut transaction, &passed).await?;
        let ended: Vec<&[u8]> = passed
            .iter()
            .filter(|one| one.completed_at.is_some() || one.account_id.is_none())
            .map(|one| &one.id[..])
            .collect();
        sqlx::query("delete from search_open where instance_id = any($1)")
            .bind(&ended)
            .execute(&mut *transaction)
            .await?;
        let full = i64::try_from(passed.len()).is_ok_and(|count| count >= STEP);
        let reached = passed.last().map(|last| last.id.clone()).filter(|_| full).unwrap_or_default();
        set_mark(&mut transaction, "open", &reached).await?;
        transaction.commit().await?;
        Ok(full && ended.len() * 2 > passed.len())
    }
}

async fn write_terms(connection: &mut PgConnection, passed: &[Passed]) -> Result<(), StoreError> {
    let mut rows: Vec<(&str, Term, &[u8])> = Vec::new();
    for one in passed {
        let (Some(account), Some(definition), Some(version), Some(data)) =
            (&one.account_id, one.definition_id, one.version, &one.data)
        else {
            continue;
        };
        let own = Values::of(data).terms();
        let own = own.into_iter().chain([terms::of_version(definition, version)]);
        rows.extend(own.map(|term| (account.as_str(), term, &one.id[..])));
    }
    // In the order of the key: neighbours are on one page.
    rows.sort_unstable();
    sqlx::query(
        "insert into search_terms (account_id, term, instance_id)
         select * from unnest($1::text[], $2::bigint[], $3::bytea[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn set_mark(connection: &mut PgConnection, walk: &str, mark: &[u8]) -> Result<(), StoreError> {
    sqlx::query("update search_marks set mark = $2 where walk = $1")
        .bind(walk)
        .bind(mark)
        .execute(connection)
        .await?;
    Ok(())
}

/// The next id that there can be.
fn after(id: &[u8]) -> Vec<u8> {
    let mut next = id.to_vec();
    for byte in next.iter_mut().rev() {
        let (sum, carry) = byte.overflowing_add(1);
        *byte = sum;
        if !carry {
            break;
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn the_next_id_carries() {
        assert_eq!(after(&[1, 2]), [1, 3]);
        assert_eq!(after(&[1, 255]), [2, 0]);
    }
}
