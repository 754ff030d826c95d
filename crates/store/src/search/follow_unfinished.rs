//! Instances that were unfinished when the walk came by are looked at again until they have ended, because their
//! contexts change: over and over, those whose context is another one than before are read again.

use std::collections::{HashMap, HashSet};

use trunkline_workflow::InstanceId;

use super::follow_instances::{STEP, STEP_BYTES, set_mark};
use super::packed::{FOLLOWED, SEEN, Seen, pack_seen, unpack_seen};
use super::statements;
use super::terms::{Term, Values};
use super::write_terms::write_new_terms;
use crate::connect::BEGIN_HOT;
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
        let mut transaction = self.begin_with(BEGIN_HOT).await?;
        let mark: Vec<u8> =
            sqlx::query_scalar("select mark from search_marks where walk = 'following' for update")
                .fetch_one(&mut *transaction)
                .await?;
        let packs: Vec<(Vec<u8>, Vec<u8>, bool)> = sqlx::query_as(
            "select first, seen, is_more
             from (
                 select first, seen, sum(octet_length(seen)) over (order by first) as bytes,
                     count(*) over () = $2 or sum(octet_length(seen)) over () > $3 as is_more
                 from (
                     select first, seen
                     from search_following
                     where first > $1
                     order by first
                     limit $2
                 ) next
             ) next
             where bytes <= $3
             order by first",
        )
        .bind(&mark)
        .bind(PACKS)
        .bind(STEP * i64::try_from(SEEN).expect("a few bytes"))
        .fetch_all(&mut *transaction)
        .await?;
        let mut is_more = packs.last().is_some_and(|(.., is_more)| *is_more);
        let packs = packs.into_iter().map(|(first, seen, _)| Ok(Pack { first, seen: unpack_seen(&seen)? }));
        let mut packs: Vec<Pack> = packs.collect::<Result<_, StoreError>>()?;
        let seen: Vec<Seen> = packs.iter().flat_map(|pack| &pack.seen).copied().collect();
        let (now, last) = look(&mut transaction, &seen).await?;
        // The next step begins behind it, which may be in the midst of a row.
        let rest = last.map(|last| cut(&mut packs, last)).unwrap_or_default();
        is_more |= last.is_some();
        let seen: Vec<Seen> = packs.iter().flat_map(|pack| &pack.seen).copied().collect();
        let is_changed = |one: &&Seen| now.get(&one.id).is_some_and(|now| now.context != one.context);
        let changed: Vec<InstanceId> = seen.iter().filter(is_changed).map(|one| one.id).collect();
        let read_now = read_again(&mut transaction, &changed).await?;
        let stays = |one: &Seen| {
            let now = now.get(&one.id).filter(|now| now.is_open)?;
            // Of what was just read; it may have been written once more since it was looked at.
            Some(Seen { id: one.id, context: read_now.get(&one.id).copied().unwrap_or(now.context) })
        };
        // Few are left in each: the next walk comes by sooner when they are together.
        let is_sparse = packs.len() > 1 && seen.len() * 2 < packs.len() * FOLLOWED;
        let mut left: Vec<&[u8]> = Vec::new();
        let mut stay: Vec<Seen> = Vec::new();
        for (nth, pack) in packs.iter().enumerate() {
            let still: Vec<Seen> = pack.seen.iter().filter_map(stays).collect();
            let is_cut = !rest.is_empty() && nth + 1 == packs.len();
            if is_sparse || is_cut || still != pack.seen {
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
            write_following(&mut transaction, &rest).await?;
        }
        let reached = packs.last().map(|last| last.first.clone()).filter(|_| is_more).unwrap_or_default();
        set_mark(&mut transaction, "following", &reached).await?;
        transaction.commit().await?;
        let open = seen.iter().filter(|one| now.get(&one.id).is_some_and(|now| now.is_open)).count();
        Ok(is_more && open * 2 < seen.len())
    }
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
         on conflict (first) do update set seen = search_following.seen || excluded.seen",
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

/// Leaves to the next step what comes behind the last one that was looked at; answers what that is of its own row.
fn cut(packs: &mut Vec<Pack>, last: InstanceId) -> Vec<Seen> {
    let place = |pack: &Pack| pack.seen.iter().position(|one| one.id == last);
    let Some((pack, at)) = packs.iter().enumerate().find_map(|(nth, pack)| Some((nth, place(pack)?))) else {
        return Vec::new();
    };
    packs.truncate(pack + 1);
    packs[pack].seen.split_off(at + 1)
}

/// As they are now. Contexts stay where they are: most of them are what they were. If those are too much for a step,
/// the last one that was looked at, in the order in which they are given.
async fn look(
    connection: &mut PgConnection,
    seen: &[Seen],
) -> Result<(HashMap<InstanceId, Now>, Option<InstanceId>), StoreError> {
    let mut known = HashSet::with_capacity(seen.len());
    let ids: Vec<InstanceId> = seen.iter().map(|one| one.id).filter(|id| known.insert(*id)).collect();
    let (Some(least), Some(greatest)) = (ids.iter().min(), ids.iter().max()) else {
        return Ok((HashMap::new(), None));
    };
    let rows: Vec<(Vec<u8>, bool, i32, bool)> = sqlx::query_as(statements::LOOK_AGAIN)
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
        found.extend(Values::of_next(&data).await.terms(&account).into_iter().map(|term| (term, id)));
        contexts.insert(id, context);
    }
    write_new_terms(connection, found).await?;
    Ok(contexts)
}
