//! What came before the wait for it.

use trunkline_workflow::outcome::{Awaited, AwaitedEvent};

use super::{CALL_ENDED, ending_of, note_uses};
use crate::jobs::LeasedJob;
use crate::{PgConnection, StoreError};

/// An event that came before the wait for it. The caller holds the lock of the key.
pub(crate) async fn look_back(
    connection: &mut PgConnection,
    job: &LeasedJob,
    awaited: &Awaited,
) -> Result<Option<String>, StoreError> {
    let (event, state, body) = loop {
        let found = match &awaited.event {
            AwaitedEvent::Reply => earlier_reply(connection, job, &awaited.key).await?,
            AwaitedEvent::Dtmf => earlier_keys(connection, job, &awaited.key).await?,
            AwaitedEvent::Receipt { states } => {
                earlier_receipt(connection, job, &awaited.key, states).await?
            }
        };
        let Some((event, state, body)) = found else { return Ok(None) };
        // A wait that knows the user or the call by another id holds another lock, and may have taken it before
        // this one locked it.
        if !was_taken(connection, event, &awaited.event).await? {
            break (event, state, body);
        }
    };
    // The end of a call is the same for whoever asks.
    if state.as_deref() != Some(CALL_ENDED) {
        note_uses(connection, event, &[(job.instance, job.definition)], false).await?;
    }
    ending_of(state.as_deref(), body).map(Some)
}

/// Whether an event that is for one wait alone has been used by one. The caller has locked its row, so nobody
/// will from now on.
async fn was_taken(
    connection: &mut PgConnection,
    event: i64,
    awaited: &AwaitedEvent,
) -> Result<bool, StoreError> {
    if matches!(awaited, AwaitedEvent::Receipt { .. }) {
        return Ok(false);
    }
    Ok(sqlx::query_scalar(
        "select exists (
             select
             from events e
             join event_uses u on u.event_id = e.id
             where e.id = $1 and not u.started and (e.exclusive or (e.trigger is null and e.state is null))
         )",
    )
    .bind(event)
    .fetch_one(connection)
    .await?)
}

/// Id, state and body of an event.
type Earlier = (i64, Option<String>, String);

/// The oldest matching message since the previous step of the instance started that neither it nor, as a
/// start, its definition has used, nor anybody one that is for a single instance (spec 6.5).
async fn earlier_reply(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
) -> Result<Option<Earlier>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.state, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2
             and k.received_at > now() - interval '6 days'
             and k.received_at > coalesce(
                 (select started_at from steps where instance_id = $3 and n < $5 order by n desc limit 1),
                 (select started_at from instances where id = $3)
             )
             and not exists (
                 select from event_uses u
                 where u.event_id = e.id
                     and (u.instance_id = $3 or (u.started and u.definition_id = $4)
                         or (e.exclusive and not u.started))
             )
         order by k.received_at, e.id
         limit 1
         for update of e",
    )
    .bind(job.account.as_str())
    .bind(key)
    .bind(&job.instance.as_bytes()[..])
    .bind(job.definition)
    .bind(job.path.n)
    .fetch_optional(connection)
    .await?)
}

/// The oldest key presses of the call that nobody has used, of the last day (U-25, U-26), else its end. The
/// lock is for two waits that know the call by different ids.
async fn earlier_keys(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
) -> Result<Option<Earlier>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.state, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2 and k.received_at > now() - interval '24 hours'
             and (e.state is not null or not exists (select from event_uses u where u.event_id = e.id))
         order by e.state nulls first, k.received_at, e.id
         limit 1
         for update of e skip locked",
    )
    .bind(job.account.as_str())
    .bind(key)
    .fetch_optional(connection)
    .await?)
}

/// The newest receipt of the message with one of these states.
async fn earlier_receipt(
    connection: &mut PgConnection,
    job: &LeasedJob,
    key: &str,
    states: &[String],
) -> Result<Option<Earlier>, StoreError> {
    Ok(sqlx::query_as(
        "select e.id, e.state, e.body
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id = $1 and k.key = $2 and k.received_at > now() - interval '6 days'
             and e.state = any($3)
         order by k.received_at desc, e.id desc
         limit 1",
    )
    .bind(job.account.as_str())
    .bind(key)
    .bind(states)
    .fetch_optional(connection)
    .await?)
}
