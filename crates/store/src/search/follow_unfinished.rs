//! Instances that were unfinished when the walk came by are looked at again until they have ended, because their
//! contexts change: over and over, those whose context is another one than before are read again.

use std::collections::{HashMap, HashSet};

use trunkline_workflow::InstanceId;

use super::follow_instances::{STEP, STEP_BYTES, set_mark};
use super::packed::{FOLLOWED, SEEN, Seen, pack_seen, unpack_seen};
use super::terms::{Term, Values};
use super::write_terms::write_new_terms;
use crate::waits::read_id;
use crate::{PgConnection, Store, StoreError};

/// Rows that one step reads, full ones or not.
const PACKS: i64 = 128;

/// A row of `search_following`.
struct Pack {
    first: Vec<u8>,
    seen: Vec<Seen>,
}

impl Store {
    /// One step of the walk over those that were unfinished, which begins again at its end; `true`: most of them have
    /// ended, and the next ones may have, too.
    pub async fn follow_unfinished(&self) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let mark: Vec<u8> =
            sqlx::query_scalar("select mark from search_marks where walk = 'following' for update")
                .fetch_one(&mut *transaction)
                .await?;
        let (packs, is_more) = next_packs(&mut transaction, &mark).await?;
        let all = || packs.iter().flat_map(|pack| &pack.seen).copied();
        let seen: Vec<Seen> = all().filter(|one| one.id.as_bytes()[..] > mark[..]).collect();
        let (now, reached) = look(&mut transaction, &seen).await?;
        let is_looked_at =
            |id: InstanceId| id.as_bytes()[..] > mark[..] && reached.is_none_or(|reached| id <= reached);
        let is_changed = |one: &&Seen| now.get(&one.id).is_some_and(|now| now.context != one.context);
        let changed: Vec<InstanceId> = seen.iter().filter(is_changed).map(|one| one.id).collect();
        let read_now = read_again(&mut transaction, &changed).await?;
        let stays = |one: &Seen| {
            if !is_looked_at(one.id) {
                return Some(*one);
            }
            let now = now.get(&one.id).filter(|now| now.is_open)?;
            // Of what was just read; it may have been written once more since it was looked at.
            Some(Seen { id: one.id, context: read_now.get(&one.id).copied().unwrap_or(now.context) })
        };
        // Few are left in each: the next walk comes by sooner when they are together.
        let is_sparse = packs.len() > 1 && all().count() * 2 < packs.len() * FOLLOWED;
        let mut left: Vec<&[u8]> = Vec::new();
        let mut stay: Vec<Seen> = Vec::new();
        for pack in &packs {
            let still: Vec<Seen> = pack.seen.iter().filter_map(stays).collect();
            if is_sparse || still != pack.seen {
                left.push(&pack.first);
                stay.extend(still);
            }
        }
        if !left.is_empty() {
            sqlx::query("delete from search_following where first = any($1)")
                .bind(&left)
                .execute(&mut *transaction)
                .await?;
            stay.sort_unstable_by_key(|one| one.id);
            write_following(&mut transaction, &stay).await?;
        }
        let last = reached.or_else(|| all().map(|one| one.id).max().filter(|_| is_more));
        set_mark(&mut transaction, "following", last.as_ref().map_or(&[], |last| last.as_bytes())).await?;
        transaction.commit().await?;
        let looked_at = seen.iter().filter(|one| is_looked_at(one.id)).count();
        let open = seen.iter().filter(|one| now.get(&one.id).is_some_and(|now| now.is_open)).count();
        Ok(last.is_some() && open * 2 < looked_at)
    }
}

/// Those with ids behind the mark; whether there are more. The mark may be in the midst of the first one.
async fn next_packs(connection: &mut PgConnection, mark: &[u8]) -> Result<(Vec<Pack>, bool), StoreError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, bool)> = sqlx::query_as(
        "select first, seen, is_more
         from (
             select first, seen, sum(octet_length(seen)) over (order by first) as bytes,
                 count(*) over () = $2 or sum(octet_length(seen)) over () > $3 as is_more
             from (
                 select first, seen
                 from search_following
                 where first >= coalesce(
                     (select first from search_following where first <= $1 order by first desc limit 1), $1)
                 order by first
                 limit $2
             ) next
         ) next
         where bytes <= $3
         order by first",
    )
    .bind(mark)
    .bind(PACKS)
    .bind(STEP * i64::try_from(SEEN).expect("a few bytes"))
    .fetch_all(connection)
    .await?;
    let is_more = rows.last().is_some_and(|(.., is_more)| *is_more);
    let packs = rows.into_iter().map(|(first, seen, _)| Ok(Pack { first, seen: unpack_seen(&seen)? }));
    Ok((packs.collect::<Result<_, StoreError>>()?, is_more))
}

/// In the order of their ids.
pub(super) async fn write_following(connection: &mut PgConnection, open: &[Seen]) -> Result<(), StoreError> {
    if open.is_empty() {
        return Ok(());
    }
    let packs = || open.chunks(FOLLOWED);
    sqlx::query(
        "insert into search_following (first, seen)
         select * from unnest($1::bytea[], $2::bytea[])
         on conflict do nothing",
    )
    .bind(packs().map(|pack| &pack[0].id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(packs().map(pack_seen).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

struct Now {
    is_open: bool,
    context: i32,
}

/// As they are now. Contexts stay where they are: most of them are what they were. If those are too much for a step,
/// the last one that was looked at.
async fn look(
    connection: &mut PgConnection,
    seen: &[Seen],
) -> Result<(HashMap<InstanceId, Now>, Option<InstanceId>), StoreError> {
    let ids: HashSet<InstanceId> = seen.iter().map(|one| one.id).collect();
    let (Some(least), Some(greatest)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok((HashMap::new(), None));
    };
    let rows: Vec<(Vec<u8>, bool, i32, bool)> = sqlx::query_as(
        "select id, completed_at is null, hashtext(data), is_more
         from (
             select id, completed_at, data, sum(octet_length(data)) over () >= $4 as is_more,
                 sum(octet_length(data)) over (order by id) - octet_length(data) as before
             from instances
             where id = any($1) and id >= $2 and id <= $3
         ) looked_at
         where before < $4
         order by id",
    )
    .bind(ids.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(&least.as_bytes()[..])
    .bind(&greatest.as_bytes()[..])
    .bind(STEP_BYTES)
    .fetch_all(connection)
    .await?;
    let reached = rows.last().filter(|(.., is_more)| *is_more).map(|(id, ..)| read_id(id)).transpose()?;
    let now = rows.into_iter().map(|(id, is_open, context, _)| Ok((read_id(&id)?, Now { is_open, context })));
    Ok((now.collect::<Result<_, StoreError>>()?, reached))
}

/// Writes the terms that they have got; the hashes of the contexts that these are of.
async fn read_again(
    connection: &mut PgConnection,
    changed: &[InstanceId],
) -> Result<HashMap<InstanceId, i32>, StoreError> {
    let (Some(least), Some(greatest)) = (changed.iter().min(), changed.iter().max()) else {
        return Ok(HashMap::new());
    };
    let rows: Vec<(Vec<u8>, String, String, i32)> = sqlx::query_as(
        "select id, account_id, data, hashtext(data)
         from instances
         where id = any($1) and id >= $2 and id <= $3",
    )
    .bind(changed.iter().map(|id| &id.as_bytes()[..]).collect::<Vec<_>>())
    .bind(&least.as_bytes()[..])
    .bind(&greatest.as_bytes()[..])
    .fetch_all(&mut *connection)
    .await?;
    let mut found: Vec<(Term, InstanceId)> = Vec::new();
    let mut contexts = HashMap::with_capacity(rows.len());
    for (id, account, data, context) in rows {
        let id = read_id(&id)?;
        found.extend(Values::of(&data).terms(&account).into_iter().map(|term| (term, id)));
        contexts.insert(id, context);
    }
    write_new_terms(connection, found).await?;
    Ok(contexts)
}
