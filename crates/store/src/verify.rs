//! The invariants of the engine, checked against any database (`trunkline verify`).

mod dispatches;
mod history;

use crate::{Store, StoreError};

/// A rule that the stored rows break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    pub count: i64,
    /// One of the offenders.
    pub example: String,
}

/// Each statement selects the offenders as text. They are taken from one snapshot, so a running system may
/// be checked.
const RULES: [(&str, &str); 20] = [
    (
        "every live instance has a job or a wait",
        "select encode(i.id, 'hex')
         from instances i
         where i.completed_at is null
             and not exists (select from jobs j where j.instance_id = i.id)
             and not exists (select from waits w where w.instance_id = i.id)",
    ),
    (
        "an ended instance has neither jobs nor waits",
        "select encode(i.id, 'hex')
         from instances i
         where i.completed_at is not null
             and (exists (select from jobs j where j.instance_id = i.id)
                 or exists (select from waits w where w.instance_id = i.id))",
    ),
    (
        "every job, wait and log entry has its instance",
        "select encode(o.instance_id, 'hex')
         from (
             select instance_id from jobs
             union all select instance_id from waits
             union all select instance_id from steps
         ) o
         where not exists (select from instances i where i.id = o.instance_id)",
    ),
    (
        "each job was completed once, and none was lost: log entries and open paths number 1 to the last",
        "select encode(instance_id, 'hex')
         from (
             select instance_id, n from steps
             union all select instance_id, n from jobs
             union all select instance_id, n from waits
         ) o
         group by instance_id
         having count(*) <> max(n) or count(distinct n) <> count(*) or min(n) <> 1",
    ),
    (
        "no more than one path of an instance is at work",
        "select encode(instance_id, 'hex')
         from jobs
         where not queued
         group by instance_id
         having count(*) > 1",
    ),
    (
        "an instance with queued paths has one at work",
        "select encode(instance_id, 'hex')
         from jobs
         group by instance_id
         having bool_and(queued)",
    ),
    (
        "a path that is alone has no sibling",
        "select encode(j.instance_id, 'hex')
         from jobs j
         where j.alone
             and (exists (select from waits w where w.instance_id = j.instance_id)
                 or exists (select from jobs o where o.instance_id = j.instance_id and o.path <> j.path))",
    ),
    (
        "a path that is alone knows how many jobs were given out",
        "select encode(j.instance_id, 'hex')
         from jobs j
         where j.alone
             and j.issued < (select coalesce(max(s.n), 0) from steps s where s.instance_id = j.instance_id)",
    ),
    (
        "an unfinished instance knows how many jobs were given out",
        "select encode(i.id, 'hex')
         from instances i
         where i.completed_at is null
             and greatest(
                 i.issued,
                 (select max(j.issued) from jobs j where j.instance_id = i.id),
                 (select max(w.issued) from waits w where w.instance_id = i.id)
             ) < (select coalesce(max(s.n), 0) from steps s where s.instance_id = i.id)",
    ),
    (
        "jobs are held exactly while their instance is suspended",
        "select encode(j.instance_id, 'hex')
         from jobs j
         join instances i on i.id = j.instance_id
         where j.held <> (i.status = 'Suspended')",
    ),
    (
        "a job is leased only to a worker that is not lost",
        "select encode(j.instance_id, 'hex')
         from jobs j
         where j.worker is not null
             and not exists (select from workers w where w.id = j.worker and w.lost_at is null)",
    ),
    (
        "no row crosses accounts",
        "select encode(i.id, 'hex')
         from instances i
         where exists (select from jobs j where j.instance_id = i.id and j.account_id <> i.account_id)
             or exists (select from waits w where w.instance_id = i.id and w.account_id <> i.account_id)
             or exists (select from dispatches d where d.instance_id = i.id and d.account_id <> i.account_id)
             or exists (
                 select from event_uses u
                 join events e on e.id = u.event_id
                 where u.instance_id = i.id and e.account_id <> i.account_id
             )
         union all
         select encode(i.id, 'hex')
         from messages m
         join instances i on i.id = m.instance_id
         where m.account_id <> i.account_id
         union all
         select encode(i.id, 'hex')
         from (
             select instance_id, account_id from leaves
             union all select instance_id, account_id from effects
             union all select instance_id, account_id from failures
         ) l
         join instances i on i.id = l.instance_id
         where l.account_id <> i.account_id
         union all
         select e.id::text
         from event_keys k
         join events e on e.id = k.event_id
         where k.account_id <> e.account_id",
    ),
    (
        "what waits for leave is parked until a time, or with a worker",
        "select encode(l.instance_id, 'hex')
         from leaves l
         join waits w on w.instance_id = l.instance_id and w.n = l.n
         where l.queue is not null and (w.kind <> 'retry' or w.path <> l.path or w.due_at is null)",
    ),
    (
        "every instance runs on a version that exists",
        "select encode(i.id, 'hex')
         from instances i
         where not exists (
             select from definition_versions v
             where v.account_id = i.account_id and v.definition_id = i.definition_id
                 and v.version = i.version
         )",
    ),
    (
        "an open path of a body has its open If",
        "select encode(o.instance_id, 'hex')
         from (
             select instance_id, scope from jobs
             union all select instance_id, scope from waits
         ) o
         where o.scope is not null
             and not exists (
                 select from waits w
                 where w.instance_id = o.instance_id and w.path = o.scope and w.kind = 'body'
             )",
    ),
    (
        "a re-run is of its origin's account and definition, and that has ended",
        "select encode(r.instance_id, 'hex')
         from reruns r
         join instances n on n.id = r.instance_id
         left join instances o on o.id = r.origin
         where n.account_id <> r.account_id
             or o.account_id <> r.account_id or o.definition_id <> n.definition_id
             or o.id is not null and o.completed_at is null",
    ),
    (
        "an item of a batch was decided at most once: it has the re-run that it says, and no other",
        "select i.batch_id || ' ' || i.n
         from batch_items i
         join batches b on b.id = i.batch_id
         where b.action = 'rerun' and (i.state = 'done') <> (i.rerun is not null)
         union all
         select r.batch_id || ' ' || encode(r.instance_id, 'hex')
         from reruns r
         join batches b on b.id = r.batch_id
         left join batch_items i on i.batch_id = r.batch_id and i.instance_id = r.origin
         where i.rerun is distinct from r.instance_id
             -- Later its items may be being removed.
             and coalesce(b.ended_at, now()) > now() - interval '1 hour'",
    ),
    (
        "a batch that has ended says what became of its items",
        "select b.id::text
         from batches b
         where b.ended_at > now() - interval '1 hour'
             and (b.done, b.skipped, b.failed) <> (
                 select count(*) filter (where state = 'done'), count(*) filter (where state = 'skipped'),
                     count(*) filter (where state = 'failed')
                 from batch_items i
                 where i.batch_id = b.id
             )",
    ),
    (
        "a batch that is done has nothing left to be decided",
        "select b.id::text
         from batches b
         where b.state = 'done'
             and exists (select from batch_items i where i.batch_id = b.id and i.state = 'pending')",
    ),
    (
        "each definition has exactly its newest version marked",
        "select d.id::text
         from definitions d
         where d.newest_version is distinct from (
             select v.version from definition_versions v
             where v.account_id = d.account_id and v.definition_id = d.id and v.newest
         )",
    ),
];

impl Store {
    /// Checks every rule; an empty answer is a clean database.
    pub async fn verify(&self) -> Result<Vec<Violation>, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::raw_sql("set transaction isolation level repeatable read, read only")
            .execute(&mut *transaction)
            .await?;
        let mut violations = Vec::new();
        for (rule, offenders) in RULES.into_iter().chain(dispatches::RULES).chain(history::RULES) {
            let (count, example): (i64, Option<String>) = sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "select count(*), min(offender) from ({offenders}) as o (offender)"
            )))
            .fetch_one(&mut *transaction)
            .await?;
            if count > 0 {
                violations.push(Violation { rule, count, example: example.unwrap_or_default() });
            }
        }
        Ok(violations)
    }
}
