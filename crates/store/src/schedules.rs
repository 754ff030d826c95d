//! The trigger `schedule`: definitions that the clock starts.
//!
//! A row with `next_at` is a promise that an instance starts then. Whoever finds it due locks the row, starts
//! what [`Schedule::due`] says and moves `next_at` on, all in one transaction: however many workers look,
//! each due time is dealt with once. Saving and deleting versions moves the promise in their own transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use trunkline_workflow::schedule::Schedule;
use trunkline_workflow::{AccountId, DefinitionId, Trigger, Version, context};

use crate::definitions::report_drained;
use crate::starts::{self, NewInstance};
use crate::{PgConnection, Store, StoreError, usage};

/// Schedules dealt with in one transaction.
const BATCH: i64 = 50;

/// What a look at the schedules found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduled {
    /// Some were due, and there may be more.
    Some { started: usize },
    Nothing {
        /// Of the next one, if there is one.
        next_due_in: Option<Duration>,
    },
}

#[derive(sqlx::FromRow)]
struct DueRow {
    account_id: String,
    definition_id: DefinitionId,
    version: Version,
    subaccount_id: Option<String>,
    cron: String,
    time_zone: String,
    missed: String,
    next_at: DateTime<Utc>,
    draining: bool,
    now: DateTime<Utc>,
}

impl Store {
    /// Starts what is due by the database's clock, a portion of it.
    pub async fn start_scheduled(&self) -> Result<Scheduled, StoreError> {
        // One statement while there is nothing to do.
        match self.next_due_in().await? {
            Some(Duration::ZERO) => {}
            next_due_in => return Ok(Scheduled::Nothing { next_due_in }),
        }
        let mut transaction = self.begin().await?;
        let rows: Vec<DueRow> = sqlx::query_as(
            "select s.account_id, s.definition_id, s.version, v.subaccount_id, s.cron, s.time_zone, s.missed,
                 s.next_at, exists (
                     select from definition_states d
                     where d.account_id = s.account_id and d.definition_id = s.definition_id
                         and d.state = 'draining'
                 ) as draining, now() as now
             from schedules s
             join definition_versions v using (account_id, definition_id, version)
             where s.next_at <= now()
             order by s.next_at
             limit $1
             for update of s skip locked",
        )
        .bind(BATCH)
        .fetch_all(&mut *transaction)
        .await?;
        if rows.is_empty() {
            // It is in somebody else's hands.
            transaction.rollback().await?;
            return Ok(Scheduled::Nothing { next_due_in: Some(Duration::ZERO) });
        }
        let mut moves = Moves::default();
        let mut instances = Vec::new();
        let mut left: HashMap<AccountId, usize> = HashMap::new();
        for row in rows {
            let account = AccountId::new(row.account_id.clone());
            let schedule = read(&account, row.definition_id, (&row.cron, &row.time_zone, &row.missed));
            let due = schedule.map(|schedule| schedule.due(row.next_at, row.now));
            let starts = due.iter().flat_map(|due| &due.starts);
            let is_due = starts.clone().next().is_some();
            if is_due && row.draining {
                report_drained(&account, row.definition_id, Trigger::Schedule);
            } else if is_due {
                let left = match left.entry(account.clone()) {
                    Entry::Occupied(left) => left.into_mut(),
                    Entry::Vacant(left) => {
                        left.insert(usage::starts_left(&mut *transaction, &account).await?)
                    }
                };
                let before = instances.len();
                instances.extend(starts.clone().take(*left).map(|at| instance(&account, &row, *at)));
                let started = instances.len() - before;
                *left -= started;
                if started < starts.count() {
                    usage::report_used_up(&account);
                }
            }
            let next = due.as_ref().and_then(|due| due.next);
            moves.push(row, next);
        }
        moves.write(&mut transaction).await?;
        let rows = starts::Rows::new(instances);
        starts::write(&mut *transaction, &rows).await?;
        transaction.commit().await?;
        if !rows.ids.is_empty() {
            self.wake.hint();
        }
        Ok(Scheduled::Some { started: rows.ids.len() })
    }

    async fn next_due_in(&self) -> Result<Option<Duration>, StoreError> {
        let micros: Option<i64> = sqlx::query_scalar(
            "select (extract(epoch from min(next_at) - clock_timestamp()) * 1000000)::bigint
             from schedules
             where next_at is not null",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(micros.map(|micros| Duration::from_micros(micros.max(0).unsigned_abs())))
    }
}

/// Cron expression, time zone and policy as they were saved. Versions outlive the rules that they were
/// checked by: one that cannot be read any more starts nothing, and holds nobody up.
fn read(account: &AccountId, definition: DefinitionId, saved: (&str, &str, &str)) -> Option<Schedule> {
    let (cron, time_zone, missed) = saved;
    Schedule::new(cron, time_zone, missed)
        .inspect_err(|flaw| {
            tracing::error!(
                account.id = %account, definition.id = %definition,
                "a schedule starts nothing: {}", flaw.message
            );
        })
        .ok()
}

fn instance(account: &AccountId, row: &DueRow, at: DateTime<Utc>) -> NewInstance {
    let body = json!({
        "scheduledAt": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "schedule": {"cron": row.cron, "timeZone": row.time_zone},
    });
    NewInstance {
        account: account.clone(),
        definition: row.definition_id,
        version: row.version,
        data: context::build(body, account, row.subaccount_id.as_deref(), row.now).into(),
    }
}

/// Where the promises go.
#[derive(Default)]
struct Moves {
    accounts: Vec<String>,
    definitions: Vec<DefinitionId>,
    versions: Vec<Version>,
    next: Vec<Option<DateTime<Utc>>>,
}

impl Moves {
    fn push(&mut self, row: DueRow, next: Option<DateTime<Utc>>) {
        self.accounts.push(row.account_id);
        self.definitions.push(row.definition_id);
        self.versions.push(row.version);
        self.next.push(next);
    }

    async fn write(self, connection: &mut PgConnection) -> Result<(), StoreError> {
        sqlx::query(
            "update schedules s
             set next_at = t.next_at
             from unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[])
                 as t (account_id, definition_id, version, next_at)
             where s.account_id = t.account_id and s.definition_id = t.definition_id and s.version = t.version",
        )
        .bind(self.accounts)
        .bind(self.definitions)
        .bind(self.versions)
        .bind(self.next)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Writes down the schedule of a version that was just saved as the newest, if it has one.
pub(crate) async fn save(
    connection: &mut PgConnection,
    account: &AccountId,
    definition: DefinitionId,
    version: Version,
    schedule: Option<&Schedule>,
) -> Result<(), StoreError> {
    let Some(schedule) = schedule else { return follow_newest(connection, account, definition).await };
    sqlx::query(
        "insert into schedules (account_id, definition_id, version, cron, time_zone, missed)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(account.as_str())
    .bind(definition)
    .bind(version)
    .bind(&schedule.cron)
    .bind(&schedule.time_zone)
    .bind(schedule.missed.as_str())
    .execute(&mut *connection)
    .await?;
    follow_newest(connection, account, definition).await
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    version: Version,
    cron: String,
    time_zone: String,
    missed: String,
    next_at: Option<DateTime<Utc>>,
    in_force: bool,
    now: DateTime<Utc>,
}

/// The newest version changed: moves the promise to it, if it is enabled and has a schedule. One with the same
/// times takes over where the one before was, missed times included. The caller holds the definition's lock.
pub(crate) async fn follow_newest(
    connection: &mut PgConnection,
    account: &AccountId,
    definition: DefinitionId,
) -> Result<(), StoreError> {
    let rows: Vec<VersionRow> = sqlx::query_as(
        "select s.version, s.cron, s.time_zone, s.missed, s.next_at, v.newest and v.enabled as in_force,
             now() as now
         from schedules s
         join definition_versions v using (account_id, definition_id, version)
         where s.account_id = $1 and s.definition_id = $2 and (s.next_at is not null or v.newest)
         order by s.version
         for update of s",
    )
    .bind(account.as_str())
    .bind(definition)
    .fetch_all(&mut *connection)
    .await?;
    let before = rows.iter().find(|row| row.next_at.is_some());
    let newest = rows.iter().find(|row| row.in_force);
    let next = newest.and_then(|row| {
        let schedule = read(account, definition, (&row.cron, &row.time_zone, &row.missed))?;
        before
            .filter(|before| schedule.has_times_of(&before.cron, &before.time_zone))
            .and_then(|before| before.next_at)
            .or_else(|| schedule.next_after(row.now))
    });
    // Two statements: at no moment may two versions have the promise.
    for (version, next) in [(before, None), (newest, next)] {
        let Some(version) = version.map(|row| row.version) else { continue };
        sqlx::query(
            "update schedules
             set next_at = $4
             where account_id = $1 and definition_id = $2 and version = $3",
        )
        .bind(account.as_str())
        .bind(definition)
        .bind(version)
        .bind(next)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
