//! Upkeep writes down what instances are found by, some time after their start: a walk up the ids, as far as nobody
//! starts any more. Those that were unfinished then are looked at again (`follow_unfinished`).

use std::time::Duration;

use sqlx::PgExecutor;
use trunkline_workflow::{DefinitionId, InstanceId, Version};

use super::follow_unfinished::write_following;
use super::packed::Seen;
use super::terms::{self, Term, Values};
use super::write_terms::write_terms;
use crate::connect::BEGIN_HOT;
use crate::waits::read_id;
use crate::workers::micros;
use crate::{PgConnection, Store, StoreError};

/// Instances of one step of a walk.
pub(super) const STEP: i64 = 2_000;
/// Bytes of contexts that one step reads, and one context more. A thousand of a MiB would be as many MiB of memory, and
/// take longer than a step may.
pub(super) const STEP_BYTES: i64 = 32 << 20;

#[derive(sqlx::FromRow)]
struct Passed {
    id: Vec<u8>,
    account_id: String,
    definition_id: DefinitionId,
    version: Version,
    data: String,
    is_open: bool,
    context: i32,
    is_more: bool,
}

/// From where on instances have no terms yet.
pub(super) async fn mark(executor: impl PgExecutor<'_>) -> Result<InstanceId, StoreError> {
    read_mark(executor, "values").await
}

/// From where on rare terms of instances are packed: servers of the release before look for nothing else than
/// `search_values`, and by then they are gone.
pub(super) async fn packed_from(executor: impl PgExecutor<'_>) -> Result<InstanceId, StoreError> {
    read_mark(executor, "packed").await
}

async fn read_mark(executor: impl PgExecutor<'_>, walk: &str) -> Result<InstanceId, StoreError> {
    let mark: Vec<u8> = sqlx::query_scalar("select mark from search_marks where walk = $1")
        .bind(walk)
        .fetch_one(executor)
        .await?;
    if mark.is_empty() { Ok(InstanceId::from_parts(0, [0; 5], 0)) } else { read_id(&mark) }
}

impl Store {
    /// One step; `true`: there may be more. What was started less than `lag` ago is left for later: an id is made a
    /// moment before its instance is there, on a machine whose clock may be wrong.
    pub async fn follow_instances(&self, lag: Duration) -> Result<bool, StoreError> {
        let mut transaction = self.begin_with(BEGIN_HOT).await?;
        let (mark, horizon): (Vec<u8>, Vec<u8>) = sqlx::query_as(
            "select mark, decode(
                 lpad(to_hex(floor(extract(epoch from now() - $1 * interval '1 microsecond'))::bigint + 1), 8, '0')
                     || repeat('0', 16), 'hex')
             from search_marks
             where walk = 'values'
             for update",
        )
        .bind(micros(lag))
        .fetch_one(&mut *transaction)
        .await?;
        if mark >= horizon {
            return Ok(false);
        }
        let passed: Vec<Passed> = sqlx::query_as(
            "select id, account_id, definition_id, version, data, is_open, hashtext(data) as context, is_more
             from (
                 select *, count(*) over () = $3 or sum(size) over () >= $4 as is_more,
                     sum(size) over (order by id) - size as before
                 from (
                     select id, account_id, definition_id, version, data, completed_at is null as is_open,
                         octet_length(data) as size
                     from instances
                     where id >= $1 and id < $2
                     order by id
                     limit $3
                 ) next
             ) next
             where before < $4
             order by id",
        )
        .bind(&mark)
        .bind(&horizon)
        .bind(STEP)
        .bind(STEP_BYTES)
        .fetch_all(&mut *transaction)
        .await?;
        let more = passed.last().is_some_and(|last| last.is_more);
        // The mark itself is not passed yet.
        let reached = passed.last().map(|last| after(&last.id)).filter(|_| more).unwrap_or(horizon);
        let mut found: Vec<(Term, InstanceId)> = Vec::new();
        let mut open: Vec<Seen> = Vec::new();
        for one in &passed {
            let id = read_id(&one.id)?;
            let own = Values::of_next(&one.data).await.terms(&one.account_id).into_iter();
            let own = own.chain([terms::of_version(&one.account_id, one.definition_id, one.version)]);
            found.extend(own.map(|term| (term, id)));
            if one.is_open {
                open.push(Seen { id, context: one.context });
            }
        }
        write_terms(&mut transaction, found).await?;
        write_following(&mut transaction, &open).await?;
        set_mark(&mut transaction, "values", &reached).await?;
        transaction.commit().await?;
        Ok(more)
    }
}

pub(super) async fn set_mark(
    connection: &mut PgConnection,
    walk: &str,
    mark: &[u8],
) -> Result<(), StoreError> {
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
