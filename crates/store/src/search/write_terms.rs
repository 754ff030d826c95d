//! Terms, and the instances that have them.
//!
//! Most values of contexts are shared: a city, a kind, a yes. A term that several instances of a step of the walk have
//! gets one row with all of them. A term of one instance, the number of a phone, goes into a bucket with others.

use chrono::{DateTime, Utc};
use trunkline_workflow::InstanceId;

use super::buckets::{rows, write_rows};
use super::entries::Entry;
use super::follow_instances::packed_from;
use super::merge_buckets::note_written;
use super::packed::{GROUP, Halves, pack};
use super::terms::{Term, half, short};
use crate::partitions::Week;
use crate::{PgConnection, StoreError};

/// Instances from which on a row of all takes less than what is kept of each.
const SHARED: usize = 3;

/// What the walk up the ids found: each instance once, behind all of before.
pub(super) async fn write_terms(
    connection: &mut PgConnection,
    mut found: Vec<(Term, InstanceId)>,
) -> Result<(), StoreError> {
    // In the order of the keys: neighbours are on one page.
    found.sort_unstable();
    let mut groups: Vec<(Term, InstanceId, Vec<u8>)> = Vec::new();
    let mut rare: Vec<(Term, InstanceId)> = Vec::new();
    for of_term in found.chunk_by(|a, b| a.0 == b.0 && week(a.1) == week(b.1)) {
        for group in of_term.chunks(GROUP) {
            if group.len() >= SHARED {
                let ids: Vec<InstanceId> = group.iter().map(|(_, id)| *id).collect();
                groups.push((group[0].0, group[0].1, pack(&ids)));
            } else {
                rare.extend(group);
            }
        }
    }
    sqlx::query(
        "insert into search_groups (term, first, ids)
         select * from unnest($1::bigint[], $2::bytea[], $3::bytea[])
         on conflict do nothing",
    )
    .bind(groups.iter().map(|group| group.0).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| &group.1.as_bytes()[..]).collect::<Vec<_>>())
    .bind(groups.iter().map(|group| &group.2[..]).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    write_rare(connection, &rare).await
}

/// History leaves by the week, and a row with its first instance.
fn week(id: InstanceId) -> Option<Week> {
    DateTime::<Utc>::from_timestamp(id.seconds().into(), 0).map(Week::of)
}

async fn write_rare(connection: &mut PgConnection, rare: &[(Term, InstanceId)]) -> Result<(), StoreError> {
    let packed_from = packed_from(&mut *connection).await?;
    let (packed, values): (Vec<_>, Vec<_>) = rare.iter().partition(|(_, id)| *id >= packed_from);
    if !packed.is_empty() {
        let entries = packed.into_iter().map(|(term, id)| Entry { term: half(term), id }).collect();
        let rows = rows(entries, 0);
        write_rows(connection, &rows).await?;
        note_written(connection, &rows).await?;
    }
    if values.is_empty() {
        return Ok(());
    }
    let halves = || values.iter().map(|(_, id)| Halves::of(*id));
    sqlx::query(
        "insert into search_values (term, at, rest)
         select * from unnest($1::int[], $2::int[], $3::bigint[])",
    )
    .bind(values.iter().map(|(term, _)| short(*term)).collect::<Vec<_>>())
    .bind(halves().map(|halves| halves.at).collect::<Vec<_>>())
    .bind(halves().map(|halves| halves.rest).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// What was found when an instance was looked at again: it has most of it since before. What is packed is packed once
/// more: to look it up in so many rows would take longer, and it is there once again when they are merged.
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
    let new: Vec<i64> = sqlx::query_scalar(
        "select t.nth
         from unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::bytea[])
             with ordinality as t (term, short, at, rest, id, nth)
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
             )
         order by t.nth",
    )
    .bind(found.iter().map(|(term, _)| *term).collect::<Vec<_>>())
    .bind(found.iter().map(|(term, _)| short(*term)).collect::<Vec<_>>())
    .bind(halves.iter().map(|halves| halves.at).collect::<Vec<_>>())
    .bind(halves.iter().map(|halves| halves.rest).collect::<Vec<_>>())
    .bind(found.iter().map(|(_, id)| &id.as_bytes()[..]).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let mut new = new.into_iter().peekable();
    let rare: Vec<(Term, InstanceId)> =
        (1..).zip(found).filter(|(nth, _)| new.next_if_eq(nth).is_some()).map(|(_, found)| found).collect();
    write_rare(connection, &rare).await
}
