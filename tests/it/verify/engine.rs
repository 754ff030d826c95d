//! Of jobs, waits and log entries, of versions, re-runs and batches.

use super::world::engine_with_instances_of_every_kind;
use super::{Case, OF_ONE_ACCOUNT, check};

const GOES_ON: &str = "every live instance has a job or a wait";
const ENDED_FOR_GOOD: &str = "an ended instance has neither jobs nor waits";
const HAS_INSTANCE: &str = "every job, wait and log entry has its instance";
const NUMBERED: &str =
    "each job was completed once, and none was lost: log entries and open paths number 1 to the last";
const ONE_AT_WORK: &str = "no more than one path of an instance is at work";
const BEHIND_ONE: &str = "an instance with queued paths has one at work";
const ALONE: &str = "a path that is alone has no sibling";
const ALONE_KNOWS: &str = "a path that is alone knows how many jobs were given out";
const UNFINISHED_KNOWS: &str = "an unfinished instance knows how many jobs were given out";
const HELD: &str = "jobs are held exactly while their instance is suspended";
const LEASED: &str = "a job is leased only to a worker that is not lost";
const PARKED_FOR_LEAVE: &str = "what waits for leave is parked until a time, or with a worker";
const VERSION_EXISTS: &str = "every instance runs on a version that exists";
const OPEN_IF: &str = "an open path of a body has its open If";
const RERUN: &str = "a re-run is of its origin's account and definition, and that has ended";
const DECIDED_ONCE: &str =
    "an item of a batch was decided at most once: it has the re-run that it says, and no other";
const BATCH_SAYS: &str = "a batch that has ended says what became of its items";
const BATCH_DECIDED: &str = "a batch that is done has nothing left to be decided";
const NEWEST: &str = "each definition has exactly its newest version marked";

/// `instance(…)` is the one that the world gave this name, `nobody` none at all.
pub const CASES: &[Case] = &[
    (
        "create table kept as select * from jobs where instance_id = instance('alone');
         delete from jobs where instance_id = instance('alone')",
        &[GOES_ON],
        "insert into jobs select * from kept",
    ),
    (
        "insert into jobs (instance_id, path, account_id, n, step, issued, alone)
         values (instance('complete'), 1, 'acme', 3, 0, 3, true)",
        &[ENDED_FOR_GOOD],
        "delete from jobs where instance_id = instance('complete')",
    ),
    (
        "insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
         values (instance('complete'), 1, 'acme', 3, 0, 3, 0, 'timer', now(), now())",
        &[ENDED_FOR_GOOD],
        "delete from waits where instance_id = instance('complete')",
    ),
    (
        "insert into jobs (instance_id, path, account_id, n, step, issued, alone)
         values (instance('nobody'), 1, 'acme', 1, 0, 1, true)",
        &[HAS_INSTANCE],
        "delete from jobs where instance_id = instance('nobody')",
    ),
    (
        "insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
         values (instance('nobody'), 1, 'acme', 1, 0, 1, 0, 'timer', now(), now())",
        &[HAS_INSTANCE],
        "delete from waits where instance_id = instance('nobody')",
    ),
    (
        "insert into steps (instance_id, n, name, status, attempt)
         values (instance('nobody'), 1, 'end', 'Complete', 1)",
        &[HAS_INSTANCE],
        "delete from steps where instance_id = instance('nobody')",
    ),
    // Of `forked` 1 is logged, and 2 and 3 wait. One is lost, one is there twice, they begin before the first.
    (
        "update waits set n = 4 where instance_id = instance('forked') and n = 3",
        &[NUMBERED],
        "update waits set n = 3 where instance_id = instance('forked') and n = 4",
    ),
    (
        "update waits set n = 1 where instance_id = instance('forked') and n = 2",
        &[NUMBERED],
        "update waits set n = 2 where instance_id = instance('forked') and n = 1",
    ),
    (
        "update steps set n = 0 where instance_id = instance('forked');
         update waits set n = 1 where instance_id = instance('forked') and n = 2",
        &[NUMBERED],
        "update steps set n = 1 where instance_id = instance('forked');
         update waits set n = 2 where instance_id = instance('forked') and n = 1",
    ),
    (
        "update jobs set queued = false where instance_id = instance('released') and n = 3",
        &[ONE_AT_WORK],
        "update jobs set queued = true where instance_id = instance('released') and n = 3",
    ),
    (
        "update jobs set queued = true where instance_id = instance('released') and n = 2",
        &[BEHIND_ONE],
        "update jobs set queued = false where instance_id = instance('released') and n = 2",
    ),
    // Beside a job, and beside a wait.
    (
        "update jobs set alone = true where instance_id = instance('released') and n = 2",
        &[ALONE],
        "update jobs set alone = false where instance_id = instance('released')",
    ),
    (
        "update jobs set alone = true where instance_id = instance('half released')",
        &[ALONE],
        "update jobs set alone = false where instance_id = instance('half released')",
    ),
    (
        "update jobs set issued = 0 where instance_id = instance('alone');
         update instances set issued = 7 where id = instance('alone')",
        &[ALONE_KNOWS],
        "update jobs set issued = 7 where instance_id = instance('alone')",
    ),
    (
        "update waits set issued = 0 where instance_id = instance('forked');
         update instances set issued = 0 where id = instance('forked')",
        &[UNFINISHED_KNOWS],
        "update waits set issued = 3 where instance_id = instance('forked')",
    ),
    (
        "update jobs set held = true where instance_id = instance('alone')",
        &[HELD],
        "update jobs set held = false where instance_id = instance('alone')",
    ),
    (
        "update jobs set held = false where instance_id = instance('suspended')",
        &[HELD],
        "update jobs set held = true where instance_id = instance('suspended')",
    ),
    (
        "update jobs set worker = 4711 where instance_id = instance('alone')",
        &[LEASED],
        "update jobs set worker = null",
    ),
    (
        "insert into workers (name, slots, version, leased_until, lost_at) values ('lost', 1, '', now(), now());
         update jobs set worker = (select id from workers where name = 'lost')
         where instance_id = instance('alone')",
        &[LEASED],
        "update jobs set worker = null",
    ),
    (
        "update jobs set account_id = 'other' where instance_id = instance('alone')",
        &[OF_ONE_ACCOUNT],
        "update jobs set account_id = 'acme'",
    ),
    (
        "update waits set account_id = 'other' where instance_id = instance('forked')",
        &[OF_ONE_ACCOUNT],
        "update waits set account_id = 'acme'",
    ),
    (
        "update leaves set account_id = 'other'",
        &[OF_ONE_ACCOUNT],
        "update leaves set account_id = 'acme'",
    ),
    (
        "insert into effects (instance_id, n, account_id, definition_id, worker)
         values (instance('alone'), 2, 'other', gen_random_uuid(), 1)",
        &[OF_ONE_ACCOUNT],
        "update effects set account_id = 'acme'",
    ),
    (
        "update waits set kind = 'timer' where instance_id = instance('paused')",
        &[PARKED_FOR_LEAVE],
        "update waits set kind = 'retry' where instance_id = instance('paused')",
    ),
    (
        "update leaves set path = path + 1",
        &[PARKED_FOR_LEAVE],
        "update leaves set path = path - 1",
    ),
    (
        "alter table waits drop constraint waits_check;
         update waits set due_at = null where instance_id = instance('paused')",
        &[PARKED_FOR_LEAVE],
        "update waits set due_at = now() where instance_id = instance('paused')",
    ),
    (
        "update instances set version = 7 where id = instance('complete')",
        &[VERSION_EXISTS],
        "update instances set version = 1 where id = instance('complete')",
    ),
    // What runs in a body and what waits in it; a path that is open, and not for its body.
    (
        "update jobs set scope = 7 where instance_id = instance('alone')",
        &[OPEN_IF],
        "update jobs set scope = null where instance_id = instance('alone')",
    ),
    (
        "update waits set scope = scope + 7 where instance_id = instance('in a body')",
        &[OPEN_IF],
        "update waits set scope = scope - 7 where instance_id = instance('in a body')",
    ),
    (
        "update waits set kind = 'timer', due_at = now()
         where instance_id = instance('in a body') and kind = 'body'",
        &[OPEN_IF],
        "update waits set kind = 'body', due_at = null
         where instance_id = instance('in a body') and scope is null",
    ),
    (
        "update reruns set account_id = 'other' where origin = instance('complete')",
        &[RERUN],
        "update reruns set account_id = 'acme' where origin = instance('complete')",
    ),
    (
        "update reruns set origin = instance('failed') where origin = instance('complete')",
        &[RERUN],
        "update reruns set origin = instance('complete') where origin = instance('failed') and batch_id is null",
    ),
    (
        "update reruns set origin = instance('paused') where origin = instance('complete')",
        &[RERUN],
        "update reruns set origin = instance('complete') where origin = instance('paused')",
    ),
    (
        "update instances set account_id = 'other' where id = instance('complete')",
        &[RERUN, VERSION_EXISTS],
        "update instances set account_id = 'acme' where id = instance('complete')",
    ),
    // Done without a re-run, skipped with one, and one that no item says.
    (
        "update batch_items set rerun = null where state = 'done';
         update reruns set batch_id = null where batch_id is not null",
        &[DECIDED_ONCE],
        "update batch_items i set rerun = r.instance_id from reruns r
         where i.state = 'done' and i.instance_id = r.origin;
         update reruns set batch_id = (select id from batches) where origin = instance('failed')",
    ),
    (
        "update batch_items set rerun = instance('nobody') where state = 'skipped'",
        &[DECIDED_ONCE],
        "update batch_items set rerun = null where state = 'skipped'",
    ),
    (
        "update reruns set batch_id = (select id from batches) where origin = instance('complete')",
        &[DECIDED_ONCE],
        "update reruns set batch_id = null where origin = instance('complete')",
    ),
    (
        "update batches set done = done + 1",
        &[BATCH_SAYS],
        "update batches set done = done - 1",
    ),
    (
        "update batches set skipped = skipped + 1",
        &[BATCH_SAYS],
        "update batches set skipped = skipped - 1",
    ),
    (
        "update batches set failed = failed + 1",
        &[BATCH_SAYS],
        "update batches set failed = failed - 1",
    ),
    (
        "insert into batch_items (batch_id, n, instance_id) select id, 7, instance('nobody') from batches",
        &[BATCH_DECIDED],
        "delete from batch_items where n = 7",
    ),
    (
        "update definition_versions set newest = false",
        &[NEWEST],
        "update definition_versions set newest = true",
    ),
    (
        "update definitions set newest_version = 7",
        &[NEWEST],
        "update definitions set newest_version = 1",
    ),
];

#[tokio::test]
async fn each_rule_about_instances_is_named_when_it_is_broken() {
    let engine = engine_with_instances_of_every_kind().await;
    check(&engine, CASES).await;
}
