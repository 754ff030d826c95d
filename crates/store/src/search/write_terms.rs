//! Terms, and the instances that have them.
//!
//! Most values of contexts are shared: a city, a kind, a yes. A term that several instances of a step of the walk have
//! gets one row with all of them. A term of one instance, the number of a phone, gets a row as small as rows are.

use chrono::{DateTime, Utc};
use trunkline_workflow::InstanceId;

use super::packed::{GROUP, Halves, pack};
use super::terms::{Term, short};
use crate::partitions::Week;
use crate::{PgConnection, StoreError};

/// Instances from which on a row of all takes less than rows of each.
const SHARED: usize = 3;

/// What the walk up the ids found: each instance once, behind all of before.
pub(super) async fn write_terms(
    connection: &mut PgConnection,
    mut found: Vec<(Term, InstanceId)>,
) -> Result<(), StoreError> {
    // In the order of the keys: neighbours are on one page.
    found.sort_unstable();
    let mut groups: Vec<(Term, InstanceId, Vec<u8>)> = Vec::new();
    let mut values: Vec<(i32, Halves)> = Vec::new();
    for of_term in found.chunk_by(|a, b| a.0 == b.0 && week(a.1) == week(b.1)) {
        for group in of_term.chunks(GROUP) {
            let ids = group.iter().map(|(_, id)| *id);
            if group.len() >= SHARED {
                groups.push((group[0].0, group[0].1, pack(&ids.collect::<Vec<_>>())));
            } else {
                values.extend(ids.map(|id| (short(group[0].0), Halves::of(id))));
            }
        }
    }
    sqlx::query(
        "with shared as (
             insert into search_groups (term, first, ids)
             select * from unnest($1::bigint[], $2::bytea[], $3::bytea[])
             on conflict do nothing
         )
         insert into search_values (term, at, rest)
         select * from unnest($4::int[], $5::int[], $6::bigint[])",
    )
    .bind(groups.iter().map(|group| group.0).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| &group.1.as_bytes()[..]).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| &group.2[..]).collect::<Vec<_>>())
    .bind(values.iter().map(|value| value.0).collect::<Vec<_>>())
    .bind(values.iter().map(|value| value.1.at).collect::<Vec<_>>())
    .bind(values.iter().map(|value| value.1.rest).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// History leaves by the week, and a row with its first instance.
fn week(id: InstanceId) -> Option<Week> {
    DateTime::<Utc>::from_timestamp(id.seconds().into(), 0).map(Week::of)
}

/// What was found when an instance was looked at again: it has most of it since before.
pub(super) async fn write_new_terms(
    connection: &mut PgConnection,
    mut found: Vec<(Term, InstanceId)>,
) -> Result<(), StoreError> {
    if found.is_empty() {
        return Ok(());
    }
    found.sort_unstable();
    let halves: Vec<Halves> = found.iter().map(|(_, id)| Halves::of(*id)).collect();
    // `offset 0`: each is looked up by the index, whatever the planner thinks of the tables.
    sqlx::query(
        "insert into search_values (term, at, rest)
         select t.short, t.at, t.rest
         from unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::bytea[])
             as t (term, short, at, rest, id)
         where not exists (
                 select
                 from search_values v
                 where v.term = t.short and v.at = t.at and v.rest = t.rest
                 offset 0
             )
             and not exists (
                 select
                 from (
                     select g.ids
                     from search_groups g
                     where g.term = t.term and g.first <= t.id
                     order by g.first desc
                     limit 1
                 ) g
                 where position(t.id in g.ids) > 0
             )",
    )
    .bind(found.iter().map(|(term, _)| *term).collect::<Vec<_>>())
    .bind(found.iter().map(|(term, _)| short(*term)).collect::<Vec<_>>())
    .bind(halves.iter().map(|halves| halves.at).collect::<Vec<_>>())
    .bind(halves.iter().map(|halves| halves.rest).collect::<Vec<_>>())
    .bind(found.iter().map(|(_, id)| &id.as_bytes()[..]).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
