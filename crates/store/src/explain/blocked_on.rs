//! Why a step is unfinished: one reason, the nearest.

use std::fmt;

use chrono::{DateTime, Utc};
use trunkline_workflow::graph::Step;
use trunkline_workflow::limits::{Rate, Reason};
use trunkline_workflow::step::StepType;
use trunkline_workflow::{AccountId, Graph, InstanceId, JobId};

use super::ExplainedStep;
use crate::{PgConnection, StoreError};

/// Tries of a step that asks for none: the first, and three more.
const USUAL_ATTEMPTS: i32 = 4;

/// Jobs that are counted in front of one; there may be more.
pub const MOST_AHEAD: i64 = 10_000;

/// What an unfinished step waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum BlockedOn {
    /// A worker is at it.
    Running {
        worker: String,
        since: DateTime<Utc>,
        leased_until: DateTime<Utc>,
    },
    /// The worker that was at it has fallen silent; another one takes over.
    Rescue {
        worker: String,
        leased_until: DateTime<Utc>,
    },
    /// A worker will take it; `ahead` jobs of the account, up to [`MOST_AHEAD`], have been ready for longer. Accounts
    /// take turns, so those of others say nothing.
    Queued {
        ahead: i64,
        /// That take it, of this account and step type.
        workers: i64,
        since: DateTime<Utc>,
    },
    /// Nobody is there to take it.
    NoWorker {
        ahead: i64,
        /// Live workers that do not take it.
        others: i64,
        since: DateTime<Utc>,
    },
    /// Another path of the instance is at work: one step at a time.
    Turn,
    Suspended(Option<SuspendedBy>),
    Time {
        until: DateTime<Utc>,
    },
    /// A message of a user.
    Reply {
        channel: String,
        from: String,
        until: DateTime<Utc>,
    },
    /// Keys pressed in a call.
    Keys {
        call: String,
        until: DateTime<Utc>,
    },
    /// A state of a message or call.
    Receipt {
        message: String,
        states: Vec<String>,
        until: DateTime<Utc>,
    },
    /// The end of a workflow of the Workflows API that it started.
    Workflow {
        dispatch: String,
        until: DateTime<Utc>,
    },
    /// The next try, after one that failed. `of` tries are made.
    Retry {
        attempt: i32,
        of: i32,
        at: DateTime<Utc>,
        error: Option<String>,
    },
    /// Its own bodies.
    Bodies,
    /// Room under a limit of the account.
    RateLimited {
        /// `account`, `sender` or `recipient`.
        limit: String,
        sender: Option<String>,
        rate: Rate,
        until: DateTime<Utc>,
    },
    QuietHours {
        until: DateTime<Utc>,
        window: String,
        zone: String,
    },
    /// The end of other steps that act outside; `most` may at once.
    Concurrency {
        /// `account` or `definition`.
        limit: String,
        most: u32,
    },
    DefinitionPaused(Option<SuspendedBy>),
}

/// Who suspended an instance, and why.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct SuspendedBy {
    pub at: DateTime<Utc>,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub actor_name: Option<String>,
    pub reason: Option<String>,
}

impl SuspendedBy {
    /// The last time that `action` was done to it.
    pub(super) async fn read(
        connection: &mut PgConnection,
        account: &AccountId,
        action: &str,
        object: &str,
    ) -> Result<Option<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select at, actor_kind, actor_id, actor_name, reason
             from audit
             where account_id = $1 and object = $2 and action = $3
             order by id desc
             limit 1",
        )
        .bind(account.as_str())
        .bind(object)
        .bind(action)
        .fetch_optional(connection)
        .await?)
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct JobRow {
    pub(super) n: i32,
    step: i32,
    attempt: i32,
    queued: bool,
    held: bool,
    ready_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    worker: Option<String>,
    leased_until: Option<DateTime<Utc>>,
    is_silent: bool,
    ahead: i64,
    workers: i64,
    others: i64,
}

impl JobRow {
    pub(super) async fn read(
        connection: &mut PgConnection,
        id: InstanceId,
        graph: &Graph,
    ) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select j.n, j.step, j.attempt, j.queued, j.held, j.ready_at, j.started_at,
                 case when j.worker is not null then coalesce(w.name, j.worker::text) end as worker,
                 w.leased_until,
                 j.worker is not null and (w.id is null or w.lost_at is not null or w.leased_until < now())
                     as is_silent,
                 case when j.worker is null then (
                     select count(*)
                     from (
                         select
                         from jobs r
                         where r.account_id = j.account_id and coalesce(r.worker, 0) = 0 and not r.queued
                             and not r.held and r.ready_at < j.ready_at
                         limit $2
                     ) as ready
                 ) else 0 end as ahead,
                 live.workers, live.others
             from jobs j
             left join workers w on w.id = j.worker
             cross join lateral (select ($3::text[])[j.step + 1] as step_type) t
             cross join lateral (
                 select count(*) filter (where takes) as workers, count(*) filter (where not takes) as others
                 from (
                     select coalesce(j.account_id = any(l.accounts), true)
                         and coalesce(j.account_id <> all(l.except_accounts), true)
                         and coalesce(t.step_type = any(l.steps), true)
                         and coalesce(t.step_type <> all(l.except_steps), true) as takes
                     from workers l
                     where l.lost_at is null and l.leased_until > now() and not l.draining
                 ) as each
             ) live
             where j.instance_id = $1
             order by j.n",
        )
        .bind(id.as_bytes().as_slice())
        .bind(MOST_AHEAD)
        .bind(graph.steps.iter().map(|step| step.step_type.name()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?)
    }

    fn blocked_on(&self, suspended: Option<&SuspendedBy>) -> BlockedOn {
        let since = self.started_at.unwrap_or(self.ready_at);
        match (&self.worker, self.leased_until) {
            (Some(worker), Some(leased_until)) if !self.is_silent => {
                BlockedOn::Running { worker: worker.clone(), since, leased_until }
            }
            (Some(worker), leased_until) => {
                BlockedOn::Rescue { worker: worker.clone(), leased_until: leased_until.unwrap_or(since) }
            }
            _ if self.held => BlockedOn::Suspended(suspended.cloned()),
            _ if self.queued => BlockedOn::Turn,
            _ if self.workers == 0 => {
                BlockedOn::NoWorker { ahead: self.ahead, others: self.others, since: self.ready_at }
            }
            _ => BlockedOn::Queued { ahead: self.ahead, workers: self.workers, since: self.ready_at },
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct WaitRow {
    pub(super) n: i32,
    step: i32,
    attempt: i32,
    kind: String,
    due_at: Option<DateTime<Utc>>,
    key: Option<String>,
    accepts: Option<Vec<String>>,
    note: Option<String>,
    started_at: DateTime<Utc>,
    /// What it has no leave for yet.
    leave: Option<String>,
}

impl WaitRow {
    pub(super) async fn read(connection: &mut PgConnection, id: InstanceId) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as(
            "select w.n, w.step, w.attempt, w.kind, w.due_at, w.key, w.accepts, w.note, w.started_at,
                 l.reason as leave
             from waits w
             left join leaves l on l.instance_id = w.instance_id and l.n = w.n and l.queue is not null
             where w.instance_id = $1
             order by w.n",
        )
        .bind(id.as_bytes().as_slice())
        .fetch_all(connection)
        .await?)
    }

    /// What is stored under each kind is written by `transitions`.
    fn blocked_on(&self, step: Option<&Step>, paused: Option<&SuspendedBy>) -> BlockedOn {
        let leave = self.leave.as_deref().filter(|_| self.kind == "retry");
        match leave.and_then(|reason| serde_json::from_str::<Reason>(reason).ok()) {
            Some(Reason::RateLimited { limit, sender, rate, until }) => {
                return BlockedOn::RateLimited { limit, sender, rate, until };
            }
            Some(Reason::QuietHours { until, window, zone }) => {
                return BlockedOn::QuietHours { until, window, zone };
            }
            Some(Reason::Concurrency { limit, most }) => return BlockedOn::Concurrency { limit, most },
            Some(Reason::DefinitionPaused) => return BlockedOn::DefinitionPaused(paused.cloned()),
            None => {}
        }
        let Some(until) = self.due_at else { return BlockedOn::Bodies };
        let (prefix, rest) = self.key.as_deref().and_then(|key| key.split_once(':')).unwrap_or_default();
        let id = rest.to_owned();
        match self.kind.as_str() {
            "retry" => BlockedOn::Retry {
                attempt: self.attempt + 1,
                of: step.and_then(|step| step.retry).map_or(USUAL_ATTEMPTS, |retry| retry.max_attempts),
                at: until,
                error: self.note.clone(),
            },
            "reply" => BlockedOn::Reply { channel: prefix.to_owned(), from: id, until },
            "dtmf" => BlockedOn::Keys { call: id, until },
            "receipt" if step.is_some_and(|step| step.step_type == StepType::Failover) => {
                BlockedOn::Workflow { dispatch: id, until }
            }
            "receipt" => {
                let states = self.accepts.clone().unwrap_or_default();
                BlockedOn::Receipt { message: id, states, until }
            }
            _ => BlockedOn::Time { until },
        }
    }
}

pub(super) fn of_job(
    id: InstanceId,
    row: &JobRow,
    graph: &Graph,
    suspended: Option<&SuspendedBy>,
) -> ExplainedStep {
    let status = if row.worker.is_none() && row.started_at.is_none() { "Pending" } else { "Running" };
    let blocked_on = row.blocked_on(suspended);
    let started_at = row.started_at.or(row.worker.as_ref().map(|_| row.ready_at));
    unfinished(id, (row.n, row.step, row.attempt), graph, status, started_at, blocked_on)
}

pub(super) fn of_wait(
    id: InstanceId,
    row: &WaitRow,
    graph: &Graph,
    paused: Option<&SuspendedBy>,
) -> ExplainedStep {
    let status = match (row.kind.as_str(), &row.key) {
        ("timer", _) => "Sleeping",
        (_, Some(_)) => "WaitingForEvent",
        _ => "Running",
    };
    let blocked_on = row.blocked_on(find_step(graph, row.step), paused);
    unfinished(id, (row.n, row.step, row.attempt), graph, status, Some(row.started_at), blocked_on)
}

fn find_step(graph: &Graph, position: i32) -> Option<&Step> {
    graph.steps.get(usize::try_from(position).ok()?)
}

fn unfinished(
    id: InstanceId,
    (n, position, attempts): (i32, i32, i32),
    graph: &Graph,
    status: &str,
    started_at: Option<DateTime<Utc>>,
    blocked_on: BlockedOn,
) -> ExplainedStep {
    let step = find_step(graph, position);
    ExplainedStep {
        id: JobId::new(id, n).as_uuid(),
        step: step.map(|step| step.id.clone()).unwrap_or_default(),
        step_type: step.map(|step| step.step_type),
        status: status.to_owned(),
        attempts,
        started_at,
        completed_at: None,
        result: None,
        error: None,
        messages: Vec::new(),
        blocked_on: Some(blocked_on),
    }
}

/// As a sentence, for people.
impl fmt::Display for BlockedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: &DateTime<Utc>| at.format("%F %T UTC").to_string();
        match self {
            Self::Running { worker, since, .. } => {
                write!(f, "Worker {worker} is at it since {}.", time(since))
            }
            Self::Rescue { worker, leased_until } => write!(
                f,
                "Worker {worker} fell silent; its lease ends {}, then another one goes on.",
                time(leased_until)
            ),
            Self::Queued { ahead, workers, since } => {
                let more = if *ahead == MOST_AHEAD { " or more" } else { "" };
                write!(
                    f,
                    "Queued since {} behind {ahead}{more} jobs of the account; live workers: {workers}.",
                    time(since)
                )
            }
            Self::NoWorker { since, others: 0, .. } => {
                write!(f, "Ready since {}, and there is no live worker to take it.", time(since))
            }
            Self::NoWorker { since, others, .. } => write!(
                f,
                "Ready since {}, and there is no live worker of a pool that takes it; others: {others}.",
                time(since)
            ),
            Self::Turn => f.write_str("Another path of the instance is at work; one step at a time."),
            Self::Suspended(None) => f.write_str("The instance is suspended."),
            Self::Suspended(by) => {
                f.write_str("Suspended")?;
                tell_who(f, by.as_ref())
            }
            Self::Time { until } => write!(f, "Sleeps until {}.", time(until)),
            Self::Reply { channel, from, until } => {
                write!(f, "Waits for a reply of {from} by {channel} until {}.", time(until))
            }
            Self::Keys { call, until } => {
                write!(f, "Waits for keys pressed in call {call} until {}.", time(until))
            }
            Self::Receipt { message, states, until } => {
                let states = states.join(", ");
                write!(f, "Waits until message {message} is {states}, or {}.", time(until))
            }
            Self::Workflow { dispatch, until } => {
                write!(f, "Waits for the end of workflow {dispatch} until {}.", time(until))
            }
            Self::Retry { attempt, of, at, error } => {
                write!(f, "Try {attempt} of {of} is made at {}", time(at))?;
                match error {
                    Some(error) => write!(f, ", after: {error}"),
                    None => f.write_str("."),
                }
            }
            Self::Bodies => f.write_str("Waits for the steps in its body."),
            Self::RateLimited { limit, sender, rate, until } => {
                tell_rate(f, limit, sender.as_deref(), *rate, &time(until))
            }
            Self::QuietHours { until, window, zone } => {
                write!(f, "Quiet hours, {window} in {zone}: waits until {}.", time(until))
            }
            Self::Concurrency { limit, most } => {
                write!(f, "The {limit} has no more than {most} steps under way: waits for the end of one.")
            }
            Self::DefinitionPaused(by) => {
                f.write_str("The definition is paused")?;
                tell_who(f, by.as_ref())
            }
        }
    }
}

/// The rest of such a sentence.
fn tell_who(f: &mut fmt::Formatter<'_>, by: Option<&SuspendedBy>) -> fmt::Result {
    let Some(by) = by else { return f.write_str(".") };
    let who = by.actor_name.as_ref().or(by.actor_id.as_ref()).unwrap_or(&by.actor_kind);
    write!(f, " by {who} at {}", by.at.format("%F %T UTC"))?;
    match &by.reason {
        Some(reason) => write!(f, ": {reason}"),
        None => f.write_str("."),
    }
}

fn tell_rate(
    f: &mut fmt::Formatter<'_>,
    limit: &str,
    sender: Option<&str>,
    rate: Rate,
    until: &str,
) -> fmt::Result {
    match sender {
        Some(sender) => write!(f, "Sender {sender}")?,
        None => write!(f, "The {limit}")?,
    }
    let verb = if limit == "recipient" { "gets" } else { "sends" };
    let plural = if rate.messages == 1 { "" } else { "s" };
    let per = rate.per.as_str();
    write!(f, " {verb} no more than {} message{plural} per {per}: waits until about {until}.", rate.messages)
}
