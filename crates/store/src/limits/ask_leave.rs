//! Leave for steps that are about to act: given, or a place in a queue.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use trunkline_workflow::limits::{Log, Outgoing, Party, Rate, Reason, Settings, quiet_until};
use trunkline_workflow::{AccountId, DefinitionId, InstanceId};

use super::line::{Line, Place};
use super::queue::{self, MOST_COUNTED, MOST_LET_THROUGH, MOST_TOLD};
use crate::waits::read_id;
use crate::workers::Incarnation;
use crate::{PgConnection, Store, StoreError};

/// Whoever may act so soon is told to, and waits for the moment by itself.
pub(super) const SOON: TimeDelta = TimeDelta::milliseconds(150);
/// Those who are let through come back by themselves, should nobody let them: so long after they might have, and the
/// longer the more of them there are, so that those who look for nothing do not keep everybody busy.
const BY_ITSELF: Duration = Duration::from_secs(60);
const BY_ITSELF_EACH: Duration = Duration::from_millis(100);
/// Where there are more than are counted.
const BY_ITSELF_OF_MANY: Duration = Duration::from_secs(3_600);

/// A step that is about to act.
#[derive(Debug, Clone)]
pub struct Ask {
    pub instance: InstanceId,
    pub path: i32,
    pub n: i32,
    pub definition: DefinitionId,
    pub worker: Incarnation,
    /// What it sends, if it is a message.
    pub send: Option<Outgoing>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Leave {
    Given {
        /// Since when; a job that is tried again had it before.
        at: DateTime<Utc>,
        /// A moment to wait yet.
        after: Duration,
    },
    /// It is to be parked.
    Waits { after: Duration, reason: Reason },
}

impl Store {
    /// For all who ask for one account at once; the answers stand in the order of the questions. To ask twice is to
    /// be given the same leave.
    pub async fn ask_leave(&self, account: &AccountId, asks: &[Ask]) -> Result<Vec<Leave>, StoreError> {
        let mut transaction = self.begin().await?;
        queue::lock_account(&mut transaction, account).await?;
        let (settings, now) = read_settings(&mut transaction, account).await?;
        let mut round = Round::load(&mut transaction, account, settings, now, asks).await?;
        let mut decided: HashMap<Job, Leave> = HashMap::new();
        let mut decide = |ask: &Ask| {
            let decided = decided.entry((ask.instance, ask.n));
            decided.or_insert_with(|| round.decide(ask)).clone()
        };
        let leaves = asks.iter().map(&mut decide).collect();
        round.write(&mut transaction, account).await?;
        transaction.commit().await?;
        Ok(leaves)
    }
}

/// And the database's time, by now: the lock may have been waited for.
pub(super) async fn read_settings(
    connection: &mut PgConnection,
    account: &AccountId,
) -> Result<(Settings, DateTime<Utc>), StoreError> {
    let (settings, now): (Option<String>, DateTime<Utc>) =
        sqlx::query_as("select (select settings from limits where account_id = $1), clock_timestamp()")
            .bind(account.as_str())
            .fetch_one(connection)
            .await?;
    Ok((settings.as_deref().map(parse).transpose()?.unwrap_or_default(), now))
}

pub(super) fn parse(settings: &str) -> Result<Settings, StoreError> {
    serde_json::from_str(settings).map_err(|error| StoreError::Damaged(format!("limits.settings: {error}")))
}

/// What was let through under these rates.
pub(super) async fn read_logs(
    connection: &mut PgConnection,
    account: &AccountId,
    names: &[&str],
) -> Result<HashMap<String, Log>, StoreError> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, String)> =
        sqlx::query_as("select name, log from rates where account_id = $1 and name = any($2)")
            .bind(account.as_str())
            .bind(names)
            .fetch_all(connection)
            .await?;
    let read = |log: &str| serde_json::from_str(log);
    rows.into_iter()
        .map(|(name, log)| match read(&log) {
            Ok(log) => Ok((name, log)),
            Err(error) => Err(StoreError::Damaged(format!("rates.log: {error}"))),
        })
        .collect()
}

/// How many steps are under way, by definition.
pub(super) async fn count_effects(
    connection: &mut PgConnection,
    account: &AccountId,
) -> Result<HashMap<DefinitionId, u64>, StoreError> {
    let rows: Vec<(DefinitionId, i64)> = sqlx::query_as(
        "select e.definition_id, count(*)
         from effects e
         join jobs j on j.instance_id = e.instance_id and j.n = e.n and j.worker = e.worker
         where e.account_id = $1
         group by e.definition_id",
    )
    .bind(account.as_str())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(definition, number)| (definition, number.unsigned_abs())).collect())
}

type Job = (InstanceId, i32);

/// A job that asked before.
struct Asked {
    given_at: Option<DateTime<Utc>>,
    waits: bool,
    since: DateTime<Utc>,
}

/// A limit that a step comes under, and what keeps it waiting.
struct Blocked {
    queue: String,
    by_time: bool,
    until: Option<DateTime<Utc>>,
    reason: Reason,
}

/// A row of `leaves` to be.
struct Row {
    ask: Ask,
    blocked: Option<Blocked>,
    given_at: Option<DateTime<Utc>>,
}

/// Everything that the decisions about some questions rest on.
struct Round {
    account: AccountId,
    settings: Settings,
    now: DateTime<Utc>,
    asked: HashMap<Job, Asked>,
    logs: HashMap<String, (Rate, Log)>,
    lines: HashMap<String, Line>,
    effects: HashMap<DefinitionId, u64>,
    /// Those of `effects` that are ours already.
    under_way: HashSet<Job>,
    changed: HashSet<String>,
    rows: Vec<Row>,
    begun: Vec<Ask>,
    done: Vec<Job>,
}

impl Round {
    async fn load(
        connection: &mut PgConnection,
        account: &AccountId,
        settings: Settings,
        now: DateTime<Utc>,
        asks: &[Ask],
    ) -> Result<Self, StoreError> {
        let mut round = Self {
            account: account.clone(),
            settings,
            now,
            asked: read_asked(&mut *connection, asks).await?,
            logs: HashMap::new(),
            lines: HashMap::new(),
            effects: HashMap::new(),
            under_way: HashSet::new(),
            changed: HashSet::new(),
            rows: Vec::new(),
            begun: Vec::new(),
            done: Vec::new(),
        };
        // Name, whether one waits for it by time, and how many there is room for.
        let mut queues: Vec<(String, bool, u64)> = Vec::new();
        for ask in asks {
            for (party, rate) in round.rates_of(ask) {
                let name = queue::of_rate(account, &party, rate);
                if round.logs.insert(name.clone(), (rate, Log::default())).is_none() {
                    queues.push((name, matches!(party, Party::Recipient(_)), 0));
                }
            }
        }
        let names: Vec<&str> = queues.iter().map(|(name, ..)| name.as_str()).collect();
        for (name, mut log) in read_logs(&mut *connection, account, &names).await? {
            if let Some((rate, known)) = round.logs.get_mut(&name) {
                log.forget(now, *rate);
                *known = log;
            }
        }
        for (name, _, room) in &mut queues {
            let (rate, log) = &round.logs[name.as_str()];
            *room = log.room(now + SOON, *rate);
        }
        if asks.iter().any(|ask| round.settings.limits_concurrency_of(ask.definition)) {
            round.load_effects(&mut *connection, asks).await?;
            let all: u64 = round.effects.values().sum();
            if let Some(most) = round.settings.concurrency {
                queues.push((queue::CONCURRENCY.to_owned(), false, u64::from(most).saturating_sub(all)));
            }
            for limit in &round.settings.definitions {
                if asks.iter().any(|ask| ask.definition == limit.definition_id) {
                    let under_way = round.effects.get(&limit.definition_id).copied().unwrap_or_default();
                    let room = u64::from(limit.concurrency).saturating_sub(under_way);
                    queues.push((queue::of_concurrency(limit.definition_id), false, room));
                }
            }
        }
        round.load_lines(connection, &queues).await?;
        Ok(round)
    }

    async fn load_lines(
        &mut self,
        connection: &mut PgConnection,
        queues: &[(String, bool, u64)],
    ) -> Result<(), StoreError> {
        let all: Vec<(&str, bool)> =
            queues.iter().map(|(name, by_time, _)| (name.as_str(), *by_time)).collect();
        for (name, length) in queue::lengths(&mut *connection, &self.account, &all).await? {
            self.lines.insert(name, Line { length, ..Line::default() });
        }
        let looked_at = |name: &str, by_time: bool, room: u64| {
            let waits = self.lines.get(name).is_some_and(|line| line.length > 0);
            let most = if by_time { room.max(MOST_TOLD) } else { room };
            if waits { most.min(MOST_LET_THROUGH) } else { 0 }
        };
        let wanted: Vec<(&str, bool, u64)> = queues
            .iter()
            .map(|(name, by_time, room)| (name.as_str(), *by_time, looked_at(name, *by_time, *room)))
            .collect();
        let first = queue::first(connection, &self.account, &wanted).await?;
        for (name, place) in first {
            if let Some(line) = self.lines.get_mut(&name) {
                line.first.push(place);
            }
        }
        for (name, _, most) in wanted {
            if let Some(line) = self.lines.get_mut(name) {
                // Where there is no room for anybody, nobody was looked at.
                line.is_longer = line.length > 0 && line.first.len() as u64 >= most;
            }
        }
        Ok(())
    }

    async fn load_effects(&mut self, connection: &mut PgConnection, asks: &[Ask]) -> Result<(), StoreError> {
        sqlx::query(
            "delete from effects e
             where e.account_id = $1
                 and not exists (
                     select from jobs j
                     where j.instance_id = e.instance_id and j.n = e.n and j.worker = e.worker
                 )",
        )
        .bind(self.account.as_str())
        .execute(&mut *connection)
        .await?;
        let ours: Vec<(Vec<u8>, i32)> = sqlx::query_as(
            "select e.instance_id, e.n
             from effects e
             join unnest($1::bytea[], $2::int[]) as t (instance_id, n) using (instance_id, n)",
        )
        .bind(asks.iter().map(|ask| &ask.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(asks.iter().map(|ask| ask.n).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        self.under_way =
            ours.into_iter().map(|(id, n)| Ok((read_id(&id)?, n))).collect::<Result<_, StoreError>>()?;
        self.effects = count_effects(connection, &self.account).await?;
        Ok(())
    }

    fn rates_of(&self, ask: &Ask) -> Vec<(Party, Rate)> {
        ask.send.as_ref().map(|send| send.rates(&self.settings)).unwrap_or_default()
    }

    fn decide(&mut self, ask: &Ask) -> Leave {
        let job = (ask.instance, ask.n);
        let (given_before, waited) =
            self.asked.get(&job).map_or((None, false), |asked| (asked.given_at, asked.waits));
        let rates = if given_before.is_some() { Vec::new() } else { self.rates_of(ask) };
        let place = self.place(job);
        // Whoever was told to wait a moment may ask again before it is over.
        let mut at = given_before.map_or(self.now, |given_at| given_at.max(self.now));
        let mut blocked: Option<Blocked> = self.quiet(ask);
        for (party, rate) in &rates {
            let name = queue::of_rate(&self.account, party, *rate);
            let free = self.logs[&name].1.free_at(self.now, *rate, self.ahead(&name, place));
            at = at.max(free);
            let longest = blocked.as_ref().and_then(|blocked| blocked.until);
            if free > self.now + SOON && longest.is_none_or(|until| until < free) {
                blocked = Some(rate_limited(name, party, *rate, free));
            }
        }
        if blocked.is_none() {
            blocked = self.crowded(ask);
        }
        if let Some(blocked) = blocked {
            return self.park(ask, blocked, given_before);
        }
        let counts = !rates.is_empty();
        for (party, rate) in rates {
            let name = queue::of_rate(&self.account, &party, rate);
            if let Some((_, log)) = self.logs.get_mut(&name) {
                log.note(at, rate);
            }
            self.changed.insert(name);
        }
        for line in self.lines.values_mut() {
            line.leave(place);
        }
        if self.settings.limits_concurrency_of(ask.definition) {
            if self.under_way.insert(job) {
                *self.effects.entry(ask.definition).or_default() += 1;
            }
            self.begun.push(ask.clone());
        }
        let given_at = given_before.or_else(|| counts.then_some(at));
        let is_noted = if given_before.is_some() { waited } else { counts };
        if is_noted {
            self.rows.push(Row { ask: ask.clone(), blocked: None, given_at });
        } else if given_before.is_none() && self.asked.contains_key(&job) {
            self.done.push(job);
        }
        let after = (at - self.now).to_std().unwrap_or_default();
        Leave::Given { at: given_at.unwrap_or(at), after }
    }

    fn ahead(&self, queue: &str, place: Place) -> u64 {
        self.lines.get(queue).map_or(0, |line| line.ahead(place))
    }

    fn place(&self, job: Job) -> Place {
        let since = self.asked.get(&job).map_or(self.now, |asked| asked.since);
        (since, job.0, job.1)
    }

    fn quiet(&self, ask: &Ask) -> Option<Blocked> {
        let send = ask.send.as_ref()?;
        let zone = self.settings.time_zone.as_deref();
        let (until, hours) = quiet_until(&self.settings.quiet_hours, zone, send.channel, self.now)?;
        let reason =
            Reason::QuietHours { until, window: hours.window(), zone: hours.zone_name(zone).to_owned() };
        Some(Blocked {
            queue: queue::of_quiet_hours(send.channel),
            by_time: true,
            until: Some(until),
            reason,
        })
    }

    /// Whether too many are under way, or will be with those who wait longer.
    fn crowded(&self, ask: &Ask) -> Option<Blocked> {
        let job = (ask.instance, ask.n);
        if self.under_way.contains(&job) {
            return None;
        }
        let place = self.place(job);
        let (all, of_definition): (u64, u64) =
            (self.effects.values().sum(), self.effects.get(&ask.definition).copied().unwrap_or_default());
        let limits = [
            (
                self.settings.concurrency_of(ask.definition),
                of_definition,
                queue::of_concurrency(ask.definition),
                "definition",
            ),
            (self.settings.concurrency, all, queue::CONCURRENCY.to_owned(), "account"),
        ];
        limits.into_iter().find_map(|(most, under_way, queue, limit)| {
            let most = most?;
            let room = u64::from(most).saturating_sub(under_way);
            (self.ahead(&queue, place) >= room).then(|| Blocked {
                queue,
                by_time: false,
                until: None,
                reason: Reason::Concurrency { limit: limit.to_owned(), most },
            })
        })
    }

    fn park(&mut self, ask: &Ask, blocked: Blocked, given_at: Option<DateTime<Utc>>) -> Leave {
        let place = self.place((ask.instance, ask.n));
        let mut length = 0;
        for (name, line) in &mut self.lines {
            if *name == blocked.queue {
                line.join(place);
                length = line.length;
            } else {
                line.leave(place);
            }
        }
        let until =
            blocked.until.map_or(Duration::ZERO, |until| (until - self.now).to_std().unwrap_or_default());
        let after = if blocked.by_time { until } else { until + by_itself(length) };
        let reason = blocked.reason.clone();
        self.rows.push(Row { ask: ask.clone(), blocked: Some(blocked), given_at });
        Leave::Waits { after, reason }
    }

    async fn write(self, connection: &mut PgConnection, account: &AccountId) -> Result<(), StoreError> {
        self.write_logs(&mut *connection, account).await?;
        write_rows(&mut *connection, account, &self.rows, self.now).await?;
        if !self.done.is_empty() {
            sqlx::query(
                "delete from leaves l
                 using unnest($1::bytea[], $2::int[]) as t (instance_id, n)
                 where l.instance_id = t.instance_id and l.n = t.n",
            )
            .bind(self.done.iter().map(|(id, _)| &id.as_bytes()[..]).collect::<Vec<_>>())
            .bind(self.done.iter().map(|(_, n)| *n).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        }
        if self.begun.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into effects (instance_id, n, account_id, definition_id, worker)
             select instance_id, n, $1, definition_id, worker
             from unnest($2::bytea[], $3::int[], $4::uuid[], $5::bigint[]) as t (instance_id, n, definition_id, worker)
             on conflict (instance_id, n) do update
             set worker = excluded.worker",
        )
        .bind(account.as_str())
        .bind(self.begun.iter().map(|ask| &ask.instance.as_bytes()[..]).collect::<Vec<_>>())
        .bind(self.begun.iter().map(|ask| ask.n).collect::<Vec<_>>())
        .bind(self.begun.iter().map(|ask| ask.definition).collect::<Vec<_>>())
        .bind(self.begun.iter().map(|ask| ask.worker.0).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }

    async fn write_logs(&self, connection: &mut PgConnection, account: &AccountId) -> Result<(), StoreError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let logs = || self.changed.iter().map(|name| (name, &self.logs[name]));
        let over_at = |(rate, log): &(Rate, Log)| log.over_at(*rate).unwrap_or(self.now);
        sqlx::query(
            "insert into rates (account_id, name, log, over_at)
             select $1, name, log, over_at
             from unnest($2::text[], $3::text[], $4::timestamptz[]) as t (name, log, over_at)
             on conflict (account_id, name) do update
             set log = excluded.log, over_at = excluded.over_at",
        )
        .bind(account.as_str())
        .bind(logs().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        .bind(
            logs()
                .map(|(_, (_, log))| serde_json::to_string(log).expect("numbers are JSON"))
                .collect::<Vec<_>>(),
        )
        .bind(logs().map(|(_, log)| over_at(log)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// With so many in the queue.
fn by_itself(length: u64) -> Duration {
    if length >= MOST_COUNTED {
        return BY_ITSELF_OF_MANY;
    }
    BY_ITSELF + BY_ITSELF_EACH * u32::try_from(length).unwrap_or(u32::MAX)
}

fn rate_limited(queue: String, party: &Party, rate: Rate, until: DateTime<Utc>) -> Blocked {
    let sender = match party {
        Party::Sender(name) => Some(name.clone()),
        Party::Account | Party::Recipient(_) => None,
    };
    let by_time = matches!(party, Party::Recipient(_));
    let reason = Reason::RateLimited { limit: party.limit().to_owned(), sender, rate, until };
    Blocked { queue, by_time, until: Some(until), reason }
}

async fn read_asked(connection: &mut PgConnection, asks: &[Ask]) -> Result<HashMap<Job, Asked>, StoreError> {
    type Found = (Vec<u8>, i32, Option<DateTime<Utc>>, bool, DateTime<Utc>);
    let rows: Vec<Found> = sqlx::query_as(
        "select l.instance_id, l.n, l.given_at, l.queue is not null, l.asked_at
         from leaves l
         join unnest($1::bytea[], $2::int[]) as t (instance_id, n) using (instance_id, n)",
    )
    .bind(asks.iter().map(|ask| &ask.instance.as_bytes()[..]).collect::<Vec<_>>())
    .bind(asks.iter().map(|ask| ask.n).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(id, n, given_at, waits, since)| Ok(((read_id(&id)?, n), Asked { given_at, waits, since })))
        .collect()
}

/// Whoever waits keeps the place that it has.
async fn write_rows(
    connection: &mut PgConnection,
    account: &AccountId,
    rows: &[Row],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let blocked = || rows.iter().map(|row| row.blocked.as_ref());
    let reason = |blocked: &Blocked| serde_json::to_string(&blocked.reason).expect("plain data is JSON");
    sqlx::query(
        "insert into leaves (instance_id, n, path, account_id, queue, by_time, reason, asked_at, looked_at, given_at)
         select instance_id, n, path, $1, queue, by_time, reason, $2, $2, given_at
         from unnest($3::bytea[], $4::int[], $5::int[], $6::text[], $7::bool[], $8::text[], $9::timestamptz[])
             as t (instance_id, n, path, queue, by_time, reason, given_at)
         on conflict (instance_id, n) do update
         set queue = excluded.queue, by_time = excluded.by_time, reason = excluded.reason,
             looked_at = excluded.looked_at, given_at = excluded.given_at",
    )
    .bind(account.as_str())
    .bind(now)
    .bind(rows.iter().map(|row| &row.ask.instance.as_bytes()[..]).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.ask.n).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.ask.path).collect::<Vec<_>>())
    .bind(blocked().map(|blocked| blocked.map(|blocked| blocked.queue.as_str())).collect::<Vec<_>>())
    .bind(blocked().map(|blocked| blocked.is_some_and(|blocked| blocked.by_time)).collect::<Vec<_>>())
    .bind(blocked().map(|blocked| blocked.map(reason)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.given_at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
