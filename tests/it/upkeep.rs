//! What workers do besides steps: timers in bulk, rescue, history that leaves (spec U-35, U-42, U-70).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use trunkline_store::Store;
use trunkline_store::jobs::{self, LowWaterMark};
use trunkline_store::pools::Steps;
use trunkline_store::starts::NewInstance;
use trunkline_store::transitions::{self, Completion, Written};
use trunkline_store::waits::{DueMark, Released};
use trunkline_store::workers::{self, Renewal};
use trunkline_workflow::Outcome;
use trunkline_workflow::outcome::Wait;

use crate::support::{Engine, TestApp, definition, instance_id, until};

const DAY: Duration = Duration::from_secs(86_400);

async fn count(store: &Store, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(store.pool()).await.unwrap()
}

/// Thirty thousand timers due at once are worked off in batches, and a start in the middle does not stand
/// behind them.
#[tokio::test(flavor = "multi_thread")]
async fn a_herd_of_timers_does_not_starve_new_work() {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    let steps = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "1"}}]);
    let id = engine.app.define(definition(steps)).await;
    let store = engine.app.store();
    sqlx::query(
        "with made as (
             select decode(lpad(to_hex(extract(epoch from now())::bigint), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex') as id
             from generate_series(1, 30000) as n
         ), started as (
             insert into instances (id, account_id, definition_id, version, status, data)
             select id, 'acme', $1, 1, 'Runnable', '{}' from made
         )
         insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
         select id, 1, 'acme', 1, 0, 1, 1, 'timer', now() - interval '1 second', now() from made",
    )
    .bind(uuid::Uuid::parse_str(&id).unwrap())
    .execute(store.pool())
    .await
    .unwrap();
    engine.start_worker(trunkline_workers::Settings::default());
    let store = engine.app.store();
    let quick = engine.app.define(definition(json!([{"id": "quick", "stepType": "If"}]))).await;
    let ended = "select count(*) from instances where completed_at is not null";
    until("the herd is under way", || async { count(store, ended).await > 500 }).await;
    let path = engine.app.start_instance(&quick, json!({})).await;
    until("the new instance ends", || async {
        engine.app.get(&path).await.expect(200)["status"] == "Complete"
    })
    .await;
    let left = count(store, "select count(*) from waits").await;
    assert!(left > 1_000, "the start waited for the whole herd");
    until("the herd is worked off", || async { count(store, ended).await == 30_001 }).await;
    engine.finish().await;
}

/// So many timers of an account, which have been due for so many seconds.
async fn due_timers(store: &Store, account: &str, count: i32, seconds: i32) {
    sqlx::query(
        "with owner as (
             insert into accounts (id) values ($1) on conflict do nothing
         ), made as (
             select decode(lpad(to_hex(extract(epoch from now())::bigint), 8, '0')
                 || lpad(to_hex(hashtext($1)::bigint & 4294967295), 8, '0') || lpad(to_hex(n), 8, '0'), 'hex') as id
             from generate_series(1, $2) as n
         ), started as (
             insert into instances (id, account_id, definition_id, version, status, data)
             select id, $1, $4, 1, 'Runnable', '{}' from made
         )
         insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
         select id, 1, $1, 1, 0, 1, 1, 'timer', now() - $3 * interval '1 second', now() from made",
    )
    .bind(account)
    .bind(count)
    .bind(seconds)
    .bind(uuid::Uuid::nil())
    .execute(store.pool())
    .await
    .unwrap();
}

/// A position, no time: the others are in the first batches however much of the flood was due before.
#[tokio::test]
async fn a_flood_of_due_timers_of_one_account_leaves_the_others_their_turn() {
    let app = TestApp::start().await;
    let store = app.store();
    due_timers(store, "flood", 10_000, 600).await;
    due_timers(store, "zebra", 1, 1).await;
    let mut mark = DueMark::default();
    assert_eq!(
        store.release_due(&mut mark).await.unwrap(),
        Released::Some(1_000),
        "a full batch all the same"
    );
    assert_eq!(count(store, "select count(*) from jobs where account_id = 'zebra'").await, 1);

    // Likewise of a trickle, and one turn after the other where there are more accounts than it has room for.
    assert_eq!(store.release_due(&mut mark).await.unwrap(), Released::Some(1_000));
    for number in 0..300 {
        due_timers(store, &format!("a{number}"), 1, 1).await;
    }
    for _ in 0..5 {
        assert_eq!(store.release_due(&mut mark).await.unwrap(), Released::Later);
    }
    assert_eq!(count(store, "select count(*) from waits where account_id like 'a%'").await, 0);
    assert!(count(store, "select count(*) from waits where account_id = 'flood'").await > 7_500);
}

/// Looks begin near what was newest last time.
#[tokio::test]
async fn what_was_written_late_is_found_all_the_same() {
    let app = TestApp::start().await;
    let store = app.store();
    let mut connection = store.hot_connection().await.unwrap();
    let lease = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 10, "0", lease, false).await.unwrap();
    let (mut due, mut ready) = (DueMark::default(), LowWaterMark::default());
    for (account, seconds) in [("new", 1), ("late", 3), ("very-late", 3_600)] {
        due_timers(store, account, 1, seconds).await;
        let released = async { while store.release_due(&mut due).await.unwrap() != Released::Later {} };
        tokio::time::timeout(Duration::from_secs(60), released).await.expect(account);
        sqlx::query("update jobs set ready_at = now() - $1 * interval '1 second' where worker is null")
            .bind(seconds)
            .execute(store.pool())
            .await
            .unwrap();
        let claimed =
            async { while jobs::claim(&mut connection, worker, 10, &mut ready).await.unwrap().is_empty() {} };
        tokio::time::timeout(Duration::from_secs(60), claimed).await.expect(account);
    }
}

/// Without it the dead rows of twelve thousand jobs would stay where they were, and the table as long.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_vacuums_the_queue_and_shortens_it_when_it_is_quiet() {
    let mut engine = Engine::start().await;
    engine.stop_worker().await;
    let store = engine.app.store().clone();
    sqlx::raw_sql("alter table jobs set (autovacuum_enabled = off)").execute(store.pool()).await.unwrap();
    let vacuumed = "select vacuum_count from pg_stat_user_tables where relname = 'jobs'";
    let before = count(&store, vacuumed).await;
    let quick = engine.app.define(definition(json!([{"id": "quick", "stepType": "If"}]))).await;
    let new = NewInstance {
        account: engine.app.account().clone(),
        definition: quick.parse().unwrap(),
        version: 1,
        data: serde_json::Map::new().into(),
    };
    for _ in 0..12 {
        store.start(vec![new.clone(); 1_000]).await.unwrap();
    }
    engine.start_worker(trunkline_workers::Settings::default());
    until("all have ended", || async {
        count(&store, "select count(*) from instances where completed_at is null").await == 0
    })
    .await;
    until("the table is short again", || async {
        count(&store, "select pg_relation_size('jobs')").await == 0
    })
    .await;
    assert!(count(&store, vacuumed).await > before);
    engine.finish().await;
}

/// The time counts from the start of the step, which may have lain longer than the time with a worker that held it up.
/// Looks for what is due begin near now, so it is due when it is written and no earlier; it still becomes due once.
#[tokio::test]
async fn a_wait_that_is_over_when_it_is_written_is_due_from_then_on() {
    let app = TestApp::start().await;
    let store = app.store();
    let id = app
        .define(definition(json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "1"}}])))
        .await;
    let mut connection = store.hot_connection().await.unwrap();
    let lease = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "w", 10, "0", lease, false).await.unwrap();
    let mut mark = LowWaterMark::default();
    for is_alone in [true, false] {
        app.start_instance(&id, json!({})).await;
        let mut claimed = jobs::claim(&mut connection, worker, 10, &mut mark).await.unwrap();
        let mut job = claimed.pop().unwrap();
        job.path.started_at = job.path.started_at.map(|started_at| started_at - DAY);
        job.alone = is_alone;
        let before: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("select now()").fetch_one(store.pool()).await.unwrap();
        let waiting = Completion {
            job: job.into(),
            graph: Arc::default(),
            outcome: Outcome::Waiting { wait: Wait::Timer, due_after: Duration::from_secs(1) },
            keep: true,
            steps: Steps::All,
            attempt: None,
        };
        let written = transitions::complete(&mut connection, worker, vec![waiting]).await.unwrap();
        assert!(matches!(written[..], [Written::Done { .. }]), "{is_alone}: {written:?}");
        let (due_at, now): (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::Utc>) =
            sqlx::query_as("select due_at, now() from waits").fetch_one(store.pool()).await.unwrap();
        assert!((before..=now).contains(&due_at), "{is_alone}: {before} {due_at} {now}");
        assert_eq!(store.release_due(&mut DueMark::default()).await.unwrap(), Released::Later, "{is_alone}");
        assert_eq!(count(store, "select count(*) from waits").await, 0, "{is_alone}");
        sqlx::query("delete from jobs").execute(store.pool()).await.unwrap();
    }
}

#[tokio::test]
async fn the_jobs_of_a_lost_worker_are_freed_once_and_its_words_are_refused() {
    let app = TestApp::start().await;
    let store = app.store();
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    app.start_instance(&id, json!({})).await;
    let mut connection = store.hot_connection().await.unwrap();
    let lease = Duration::from_secs(60);
    let worker = workers::register(&mut connection, "dies", 10, "0", lease, false).await.unwrap();
    let mut mark = LowWaterMark::default();
    let claimed = jobs::claim(&mut connection, worker, 10, &mut mark).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].path.attempt), (1, 1));
    assert_eq!(store.rescue_jobs(None).await.unwrap(), 0, "its lease holds");
    let renewed = workers::renew(&mut connection, worker, lease).await.unwrap();
    assert_eq!(renewed, Renewal::Renewed { draining: false });

    sqlx::query("update workers set leased_until = now() - interval '1 second'")
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(store.rescue_jobs(Some(Duration::ZERO)).await.unwrap(), 1, "it is lost now");
    assert_eq!(store.rescue_jobs(None).await.unwrap(), 0);
    assert_eq!(workers::renew(&mut connection, worker, lease).await.unwrap(), Renewal::Lost);
    let heir = workers::register(&mut connection, "heir", 10, "0", lease, false).await.unwrap();
    assert!(heir > worker, "fences only grow");
    let again = jobs::claim(&mut connection, heir, 10, &mut mark).await.unwrap();
    assert_eq!((again[0].id(), again[0].path.attempt), (claimed[0].id(), 2), "the same job, the same key");

    let outcome = Outcome::Failed { message: "late".to_owned(), result: None };
    let late = Completion {
        job: claimed[0].clone().into(),
        graph: Arc::default(),
        outcome,
        keep: true,
        steps: Steps::All,
        attempt: None,
    };
    let written = transitions::complete(&mut connection, worker, vec![late]).await.unwrap();
    assert!(matches!(written[..], [Written::Refused]));
    assert_eq!(count(store, "select count(*) from steps").await, 0);

    sqlx::query("update workers set lost_at = now() - interval '1 hour' where id = $1")
        .bind(heir.0)
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(store.rescue_jobs(Some(Duration::from_secs(60))).await.unwrap(), 0, "it was lost before");
    assert_eq!(store.rescue_jobs(None).await.unwrap(), 1, "a claim that was on its way");
    assert!(store.verify().await.unwrap().is_empty());
}

/// Two years of history: weeks without a live instance leave as tables, the others row by row.
#[tokio::test]
async fn old_history_leaves_and_gives_its_disk_back() {
    let app = TestApp::start().await;
    let store = app.store();
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    // ISO weeks 2 and 4 of 2025: the bounds are the Mondays' seconds.
    for (week, from, to) in [("2025w02", "677b1d00", "67845780"), ("2025w04", "678d9200", "6796cc80")] {
        for table in ["instances", "steps", "attempts"] {
            let create = format!(
                "create table {table}_{week} partition of {table} for values from ('\\x{from}') to ('\\x{to}')"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(store.pool()).await.unwrap();
        }
    }
    let old = |seconds: &str, n: u8| format!("{seconds}{n:016x}");
    for (instance, completed) in [
        (old("677b1d01", 1), "'2025-01-08'"),
        (old("678d9201", 1), "'2025-01-23'"),
        (old("678d9201", 2), "null"),
    ] {
        let insert = format!(
            "insert into instances (id, account_id, definition_id, version, status, started_at, completed_at, data)
             values ('\\x{instance}', 'acme', '{id}', 1, case when {completed}::text is null then 'Runnable' else 'Complete' end,
                 '2025-01-07', {completed}, '{{}}');
             insert into steps (instance_id, n, name, status, attempt) values ('\\x{instance}', 1, 'end', 'Complete', 1);
             insert into attempts (instance_id, n, attempt, step, outcome, started_at)
             values ('\\x{instance}', 1, 1, 0, 'completed', '2025-01-07')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(store.pool()).await.unwrap();
    }
    let recent = app.start_instance(&id, json!({})).await;
    app.complete(&recent).await;
    sqlx::raw_sql(
        "insert into events (account_id, dedupe_key, trigger, body, received_at)
             values ('acme', 'old', 'inbound_sms', '{}', now() - interval '8 days'),
                 ('acme', 'new', 'inbound_sms', '{}', now());
         insert into event_keys (account_id, key, event_id, received_at) select 'acme', 'sms:1', id, received_at from events;
         insert into messages (account_id, umid, state, rank, changed_at, received_at)
         values ('acme', 'old', 'read', 4, now(), now() - interval '91 days'), ('acme', 'new', 'read', 4, now(), now());
         insert into message_states (account_id, umid, state, changed_at, received_at)
         select account_id, umid, state, changed_at, now() - interval '91 days' from messages",
    )
    .execute(store.pool())
    .await
    .unwrap();

    assert_eq!(store.prune_history(90 * DAY).await.unwrap(), 1);
    assert_eq!(count(store, "select count(*) from pg_class where relname like '%\\_2025w02'").await, 0);
    assert_eq!(count(store, "select count(*) from instances_2025w04").await, 1, "the live one stays");
    assert_eq!(count(store, "select count(*) from steps_2025w04").await, 1);
    assert_eq!(count(store, "select count(*) from attempts").await, 1);
    assert_eq!(count(store, "select count(*) from message_states where umid = 'new'").await, 1);
    assert_eq!(count(store, "select count(*) from message_states").await, 1);
    app.get(&recent).await.expect(200);
    assert_eq!(count(store, "select count(*) from events").await, 1);
    assert_eq!(count(store, "select count(*) from event_keys").await, 1);
    assert_eq!(store.prune_history(90 * DAY).await.unwrap(), 0, "safe to run twice");
}

/// It may wait for days where ended ones are kept for one.
#[tokio::test]
async fn a_workflow_that_lives_longer_than_ended_ones_are_kept_keeps_its_rows() {
    let app = TestApp::start().await;
    let store = app.store();
    let id = app.define(definition(json!([{"id": "end", "stepType": "If"}]))).await;
    for _ in 0..2 {
        let path = app.start_instance(&id, json!({})).await;
        let instance = instance_id(&path);
        sqlx::query(
            "with d as (
                 insert into dispatches (id, account_id, instance_id, flavour, created_at)
                 values (gen_random_uuid(), 'acme', $1, 'dispatch', now() - interval '2 days')
             )
             insert into messages (account_id, umid, state, rank, changed_at, received_at, instance_id, n, echo)
             values ('acme', gen_random_uuid()::text, 'started', 0, now(), now() - interval '2 days', $1, 1, '{}')",
        )
        .bind(instance.as_bytes().as_slice())
        .execute(store.pool())
        .await
        .unwrap();
    }
    sqlx::raw_sql(
        "delete from jobs where instance_id = (select id from instances order by id desc limit 1);
         update instances set status = 'Terminated', completed_at = now() - interval '2 days', started_at = '2025-01-07'
         where id = (select id from instances order by id desc limit 1)",
    )
    .execute(store.pool())
    .await
    .unwrap();
    store.prune_history(DAY).await.unwrap();
    for (rows, left) in [
        ("select count(*) from dispatches", 1),
        ("select count(*) from messages", 1),
        ("select count(*) from instances where completed_at is null", 1),
    ] {
        assert_eq!(count(store, rows).await, left, "{rows}");
    }
    assert!(store.verify().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_worker_is_elected_for_a_task_and_another_when_it_is_gone() {
    let app = TestApp::start().await;
    let store = app.store();
    let (a, b) = (workers::Incarnation(1), workers::Incarnation(2));
    let minute = Duration::from_secs(60);
    assert!(store.elect("task", a, minute).await.unwrap());
    assert!(!store.elect("task", b, minute).await.unwrap());
    assert!(store.elect("task", a, minute).await.unwrap());
    assert!(store.elect("other", b, minute).await.unwrap());
    sqlx::query("update upkeep set leased_until = now() - interval '1 second'")
        .execute(store.pool())
        .await
        .unwrap();
    assert!(store.elect("task", b, minute).await.unwrap());
    assert!(!store.elect("task", a, minute).await.unwrap());
}

/// The statements that run all day go through their indexes, whatever the tables hold.
#[tokio::test]
async fn the_hot_statements_are_served_by_their_indexes() {
    let app = TestApp::start().await;
    let mut connection = app.store().hot_connection().await.unwrap();
    for (statement, index) in [
        (
            "select from jobs where worker is null and not queued and not held and ready_at >= now()
             order by ready_at limit 10 for update skip locked",
            "jobs_ready",
        ),
        (
            "select from unnest('{a}'::text[]) as share (account_id) cross join lateral (
                 select from jobs
                 where account_id = share.account_id and coalesce(worker, 0) = 0 and not queued and not held
                     and ready_at >= now()
                 order by ready_at limit 10 for update skip locked
             ) j",
            "jobs_of_account",
        ),
        (
            "select account_id from jobs
             where coalesce(worker, 0) = 0 and not queued and not held and account_id > 'a' and account_id < 'b'
             order by account_id limit 1",
            "Index Only Scan using jobs_of_account",
        ),
        ("select from waits where due_at <= now() order by due_at limit 10", "waits_due"),
        (
            "delete from waits w using unnest('{a}'::bytea[], '{1}'::int[]) as t (instance_id, path)
             where w.instance_id = t.instance_id and w.path::smallint = t.path::smallint",
            "waits_of_path",
        ),
        (
            "select from instances
             where uuid_hash_extended(definition_id, version)
                     = uuid_hash_extended('6fa459ea-ee8a-3ca4-894e-db77e160355e', 1)
                 and account_id = 'a' and definition_id = '6fa459ea-ee8a-3ca4-894e-db77e160355e' and version = 1
             order by started_at desc, id desc limit 20",
            "uuid_hash_extended_started_at_idx",
        ),
        ("update jobs set worker = null where worker = any('{1}')", "jobs_leased"),
        (
            "select from event_keys where account_id = 'a' and key = 'k' and received_at > now()",
            "event_keys_pkey",
        ),
        (
            "select from definition_versions where account_id = 'a' and trigger = 'inbound_sms' and newest and enabled",
            "definition_versions_triggered",
        ),
        (
            "select from steps s
             join messages m on m.account_id = 'a' and m.instance_id = s.instance_id and m.n = s.n
             where s.instance_id = '\\x00'",
            "messages_instance",
        ),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("explain {statement}"));
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut connection).await.unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{statement}: {plan:#?}");
    }
}
