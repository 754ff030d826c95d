//! What is waited for, by the name under which those who wait are found.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use trunkline_workflow::limits::{Channel, Party, Rate, Settings};
use trunkline_workflow::{AccountId, DefinitionId};
use uuid::Uuid;

use super::line::Place;
use crate::waits::read_id;
use crate::{PgConnection, StoreError};

/// Those who wait are counted up to here, for the time that they are told.
pub(super) const MOST_COUNTED: u64 = 10_000;
/// Those of a queue that comes back by itself whose places are known, so that each is told its own time.
pub(super) const MOST_TOLD: u64 = 64;
/// Those who are looked at by name at once.
pub(super) const MOST_LET_THROUGH: u64 = 1_000;

/// The rate's row, and the queue of those who wait for it. Numbers of people are not for everybody's eyes.
pub(super) fn of_rate(account: &AccountId, party: &Party, rate: Rate) -> String {
    let per = rate.per.as_str();
    match party {
        Party::Account => format!("account/{per}"),
        Party::Sender(name) => format!("sender/{per}/{name}"),
        Party::Recipient(name) => {
            let digest =
                Sha256::new_with_prefix(account.as_str()).chain_update("\0").chain_update(name).finalize();
            let half: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
            let hex = Uuid::from_bytes(half).simple();
            format!("recipient/{per}/{hex}")
        }
    }
}

pub(super) fn of_quiet_hours(channel: Channel) -> String {
    format!("quiet/{}", channel.as_str())
}

pub(super) const CONCURRENCY: &str = "concurrency/account";
const CONCURRENCY_OF: &str = "concurrency/definition/";
const PAUSED: &str = "paused/";

pub(super) fn of_concurrency(definition: DefinitionId) -> String {
    format!("{CONCURRENCY_OF}{definition}")
}

pub(super) fn of_pause(definition: DefinitionId) -> String {
    format!("{PAUSED}{definition}")
}

/// What a queue is for, as the account's limits have it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Rate(Rate),
    Concurrency(u32),
    ConcurrencyOf(DefinitionId, u32),
    Definition(DefinitionId),
    /// It is limited no more.
    Nothing,
}

/// Of queues that somebody has to let through.
pub(super) fn read(account: &AccountId, name: &str, settings: &Settings) -> For {
    if let Some(definition) = name.strip_prefix(PAUSED) {
        return definition.parse().map_or(For::Nothing, For::Definition);
    }
    if name == CONCURRENCY {
        return settings.concurrency.map_or(For::Nothing, For::Concurrency);
    }
    if let Some(definition) = name.strip_prefix(CONCURRENCY_OF) {
        let limited = definition.parse().ok().and_then(|id| Some((id, settings.concurrency_of(id)?)));
        return limited.map_or(For::Nothing, |(id, most)| For::ConcurrencyOf(id, most));
    }
    let of_account = settings.rates.iter().map(|rate| (Party::Account, *rate));
    let of_senders = settings
        .senders
        .iter()
        .flat_map(|limit| limit.rates.iter().map(|rate| (Party::Sender(limit.sender.clone()), *rate)));
    let mut rates = of_account.chain(of_senders);
    rates
        .find(|(party, rate)| of_rate(account, party, *rate) == name)
        .map_or(For::Nothing, |(_, rate)| For::Rate(rate))
}

/// Deciding about an account is one at a time.
pub(super) async fn lock_account(
    connection: &mut PgConnection,
    account: &AccountId,
) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('limits ' || $1, 0))")
        .bind(account.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Who is first in some queues, at most so many of each. Not those who are suspended, wait for a
/// sibling, or are there no more. `offset 0` keeps the planner from hashing whole tables, those of all accounts, for the
/// few rows that are looked at.
pub(super) async fn first(
    connection: &mut PgConnection,
    account: &AccountId,
    queues: &[(&str, bool, u64)],
) -> Result<Vec<(String, Place)>, StoreError> {
    let wanted: Vec<_> = queues.iter().filter(|(.., most)| *most > 0).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, DateTime<Utc>, Vec<u8>, i32)> = sqlx::query_as(
        "select q.queue, f.asked_at, f.instance_id, f.n
         from unnest($2::text[], $3::bool[], $4::bigint[]) as q (queue, by_time, most)
         cross join lateral (
             select l.instance_id, l.n, l.asked_at
             from leaves l
             where l.by_time = q.by_time and l.account_id = $1 and l.queue = q.queue
                 and (exists (select from waits w where w.instance_id = l.instance_id and w.n = l.n offset 0)
                     or exists (
                         select from jobs j
                         where j.instance_id = l.instance_id and j.n = l.n and not j.held and not j.queued
                         offset 0
                     ))
             order by l.asked_at, l.instance_id, l.n
             limit q.most
         ) as f
         order by q.queue, f.asked_at, f.instance_id, f.n",
    )
    .bind(account.as_str())
    .bind(wanted.iter().map(|(queue, ..)| *queue).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(_, by_time, _)| *by_time).collect::<Vec<_>>())
    .bind(wanted.iter().map(|(.., most)| i64::try_from(*most).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(queue, asked_at, id, n)| Ok((queue, (asked_at, read_id(&id)?, n)))).collect()
}

/// How many wait in each. Where nobody looks after a queue, those who are gone are not counted.
pub(super) async fn lengths(
    connection: &mut PgConnection,
    account: &AccountId,
    queues: &[(&str, bool)],
) -> Result<Vec<(String, u64)>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select q.queue, counted.number
         from unnest($2::text[], $3::bool[]) as q (queue, by_time)
         cross join lateral (
             select count(*) as number
             from (
                 select from leaves l
                 where l.by_time = q.by_time and l.account_id = $1 and l.queue = q.queue
                     and (not q.by_time
                         or exists (select from waits w where w.instance_id = l.instance_id and w.n = l.n offset 0)
                         or exists (select from jobs j where j.instance_id = l.instance_id and j.n = l.n offset 0))
                 limit $4
             ) as those
         ) as counted",
    )
    .bind(account.as_str())
    .bind(queues.iter().map(|(queue, _)| *queue).collect::<Vec<_>>())
    .bind(queues.iter().map(|(_, by_time)| *by_time).collect::<Vec<_>>())
    .bind(i64::try_from(MOST_COUNTED).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(queue, number)| (queue, number.unsigned_abs())).collect())
}
