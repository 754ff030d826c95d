//! Which instances a batch is about.

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};
use trunkline_workflow::{AccountId, Graph, Version};
use uuid::Uuid;

use super::{BatchFilter, LARGEST, Selection};
use crate::definitions::{STEPS, VersionId};
use crate::{Store, StoreError};

/// How many instances a batch would have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    pub total: i64,
    pub by_version: Vec<Group>,
    pub by_status: Vec<Group>,
    /// By the step that failed.
    pub by_step: Vec<Group>,
    pub by_error: Vec<Group>,
}

/// Some of them. Of each kind there are the 100 largest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub key: String,
    pub count: i64,
}

/// Where a step stands in each version that has it.
#[derive(Debug, Default)]
pub(super) struct Positions {
    versions: Vec<Version>,
    steps: Vec<i32>,
}

/// Parameters 1 to 11. Looked for are at most as many as show that it is too many.
const MATCHING: &str = "
    select i.id, i.version, i.status, f.name as step, f.error
    from instances i
    left join lateral (
        select s.name, s.error
        from steps s
        where s.instance_id = i.id and s.status = 'Failed'
        order by s.n desc
        limit 1
    ) f on i.status = 'Terminated'
    where i.account_id = $1
        and ($2::bytea[] is null or i.id = any($2))
        and ($3::uuid is null or i.definition_id = $3)
        and ($4::int is null or i.version = $4)
        and ($5::text is null or i.status = $5)
        and ($6::timestamptz is null or i.started_at >= $6)
        and ($7::timestamptz is null or i.started_at < $7)
        and ($8::text is null or f.name = $8
            or i.completed_at is null and (i.version, 0) in (select version, 0 from unnest($9::int[]) as version)
                and exists (
                    select
                    from (
                        select j.step from jobs j where j.instance_id = i.id
                        union all
                        select w.step from waits w where w.instance_id = i.id
                    ) as open
                    join unnest($9::int[], $10::int[]) as at (version, step) on at.step = open.step
                    where at.version = i.version
                ))
        and ($11::text is null or position($11 in f.error) > 0)
        and exists (
            select
            from definition_versions v
            where v.account_id = i.account_id and v.definition_id = i.definition_id and v.version = i.version
                and v.deleted_at is null
        )";

impl Store {
    /// Where the filter's step stands; `None`: there is no such definition.
    pub(super) async fn positions(
        &self,
        account: &AccountId,
        selection: &Selection,
    ) -> Result<Option<Positions>, StoreError> {
        let mut positions = Positions::default();
        let Selection::Filter(filter) = selection else { return Ok(Some(positions)) };
        if !self.definition_exists(account, filter.definition).await? {
            return Ok(None);
        }
        let Some(step) = &filter.step else { return Ok(Some(positions)) };
        let unlocked = self.keys().await?;
        let versions: Vec<(Version, String)> = sqlx::query_as(
            "select version, steps
             from definition_versions
             where account_id = $1 and definition_id = $2 and deleted_at is null
                 and ($3::int is null or version = $3)",
        )
        .bind(account.as_str())
        .bind(filter.definition)
        .bind(filter.version)
        .fetch_all(&self.pool)
        .await?;
        for (version, steps) in versions {
            let id = VersionId::new(account, filter.definition, version);
            let steps = unlocked.unseal_or_plain(id.place(STEPS), &steps)?;
            let steps =
                serde_json::from_str(&steps).map_err(|error| StoreError::Damaged(error.to_string()))?;
            for (position, known) in (0..).zip(&Graph::new(&steps).steps) {
                if known.id == *step {
                    positions.versions.push(version);
                    positions.steps.push(position);
                }
            }
        }
        Ok(Some(positions))
    }

    /// Counts what a batch would be about, and writes nothing; `None`: there is no such definition.
    pub async fn try_batch(
        &self,
        account: &AccountId,
        selection: &Selection,
    ) -> Result<Option<DryRun>, StoreError> {
        let Some(positions) = self.positions(account, selection).await? else { return Ok(None) };
        let query = format!(
            "with matching as materialized ({MATCHING}),
             grouped as (
                 select kind, key, count(*) as count
                 from matching m
                 cross join lateral (
                     values ('version', m.version::text), ('status', m.status), ('step', m.step),
                         ('error', m.error)
                 ) as g (kind, key)
                 where key is not null
                 group by kind, key
             ), ranked as (
                 select *, row_number() over (partition by kind order by count desc, key) as rank
                 from grouped
             )
             select kind, key, count
             from ranked
             where rank <= 100
             union all
             select 'total', '', count(*)
             from matching
             order by kind, count desc, key"
        );
        let query: QueryAs<'_, Postgres, (String, String, i64), PgArguments> =
            sqlx::query_as(sqlx::AssertSqlSafe(query));
        let rows = bind(query, account, selection, &positions).fetch_all(&self.pool).await?;
        let mut dry = DryRun::default();
        for (kind, key, count) in rows {
            let groups = match kind.as_str() {
                "version" => &mut dry.by_version,
                "status" => &mut dry.by_status,
                "step" => &mut dry.by_step,
                "error" => &mut dry.by_error,
                _ => {
                    dry.total = count;
                    continue;
                }
            };
            groups.push(Group { key, count });
        }
        Ok(Some(dry))
    }
}

/// Answers how many; beyond [`LARGEST`] not all. Ids that are none of an instance are items all the same.
pub(super) async fn write_items(
    connection: &mut PgConnection,
    account: &AccountId,
    batch: Uuid,
    selection: &Selection,
    positions: &Positions,
) -> Result<u64, StoreError> {
    if let Selection::Instances(ids) = selection {
        let written = sqlx::query(
            "insert into batch_items (batch_id, n, instance_id)
             select $1, row_number() over (order by id), id
             from (select distinct id from unnest($2::bytea[]) as id) as given",
        )
        .bind(batch)
        .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        return Ok(written.rows_affected());
    }
    let query = format!(
        "with matching as materialized ({MATCHING} limit {}),
         written as (
             insert into batch_items (batch_id, n, instance_id)
             select $12, row_number() over (order by id), id
             from matching
         )
         select count(*) from matching",
        LARGEST + 1
    );
    let query: QueryAs<'_, Postgres, (i64,), PgArguments> = sqlx::query_as(sqlx::AssertSqlSafe(query));
    let (count,) = bind(query, account, selection, positions).bind(batch).fetch_one(connection).await?;
    Ok(count.unsigned_abs())
}

/// Planned anew for each selection, with what it says and without what it does not.
fn bind<'q, T: for<'r> FromRow<'r, sqlx::postgres::PgRow>>(
    query: QueryAs<'q, Postgres, T, PgArguments>,
    account: &'q AccountId,
    selection: &'q Selection,
    positions: &'q Positions,
) -> QueryAs<'q, Postgres, T, PgArguments> {
    let (filter, ids): (Option<&BatchFilter>, Option<Vec<&[u8]>>) = match selection {
        Selection::Filter(filter) => (Some(filter), None),
        Selection::Instances(ids) => (None, Some(ids.iter().map(|id| &id.as_bytes()[..]).collect())),
    };
    query
        .persistent(false)
        .bind(account.as_str())
        .bind(ids)
        .bind(filter.map(|filter| filter.definition))
        .bind(filter.and_then(|filter| filter.version))
        .bind(filter.and_then(|filter| filter.status.map(trunkline_workflow::InstanceStatus::as_str)))
        .bind(filter.and_then(|filter| filter.started_from))
        .bind(filter.and_then(|filter| filter.started_before))
        .bind(filter.and_then(|filter| filter.step.as_deref()))
        .bind(&positions.versions)
        .bind(&positions.steps)
        .bind(filter.and_then(|filter| filter.error.as_deref()))
}
