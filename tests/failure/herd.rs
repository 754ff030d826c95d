//! A great many timers due in one second; and a transaction that keeps its snapshot while everything is busy.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::fleet::Fleet;
use crate::memory::peak_mebibytes;
use crate::processes::WorkerProcess;
use crate::support::extent::{either, is_long, pass};
use crate::support::{definition, until};
use crate::verify::verify;

const MEBIBYTES: usize = 512;

fn percentile_99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_herd_of_timers_leaves_room_for_everybody_else() {
    let timers = either(50_000, 1_000_000);
    let mut fleet = Fleet::start(1, 0).await;
    let steps = json!([{"id": "pause", "stepType": "Wait", "inputs": {"duration": "1"}}]);
    let herd = fleet.app.define(definition(steps)).await;
    let quick = fleet.app.define(definition(json!([{"id": "quick", "stepType": "If"}]))).await;
    let pool = fleet.app.store().pool().clone();
    for first in (1..=timers).step_by(50_000) {
        sqlx::query(
            "with made as (
                 select decode(lpad(to_hex(extract(epoch from now())::bigint), 8, '0')
                     || lpad(to_hex(n), 16, '0'), 'hex') as id
                 from generate_series($2::bigint, $2 + 49999) as n
             ), started as (
                 insert into instances (id, account_id, definition_id, version, status, data)
                 select id, 'acme', $1::uuid, 1, 'Runnable', '{}' from made
             )
             insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, started_at)
             select id, 1, 'acme', 1, 0, 1, 1, 'timer', now() + interval '1 hour', now() from made",
        )
        .bind(&herd)
        .bind(i64::from(first))
        .execute(&pool)
        .await
        .unwrap();
    }
    let url = fleet.app.database_url().to_owned();
    fleet.workers = (0..2).map(|_| WorkerProcess::start(&url)).collect();
    for worker in &fleet.workers {
        until("it works", || async { worker.log().contains("worker registered") }).await;
    }
    // They look for what is due long before it is.
    let due = format!(
        "create table due as
         select instance_id, now() + interval '{} seconds' + random() * interval '1 second' as at from waits;
         update waits w set due_at = due.at from due where due.instance_id = w.instance_id",
        either(4, 90)
    );
    sqlx::raw_sql(AssertSqlSafe(due)).execute(&pool).await.unwrap();

    let timers = usize::try_from(timers).unwrap();
    let waits = async || fleet.count("select count(*) from waits").await;
    until("the first are due", async || waits().await < timers).await;
    let begun = Instant::now();
    let mut left = timers;
    let (mut answers, mut quick_paths) = (Vec::new(), Vec::new());
    while left > 0 {
        let asked = Instant::now();
        quick_paths.push(fleet.app.start_instance(&quick, json!({})).await);
        answers.push(asked.elapsed());
        pass(Duration::from_millis(50)).await;
        let now = waits().await;
        let is_stuck = now == left && begun.elapsed() > Duration::from_secs(either(120, 600));
        assert!(!is_stuck, "{left} timers are left");
        left = now;
    }
    until("all instances end", || async {
        fleet.count("select count(*) from instances where completed_at is null").await == 0
    })
    .await;
    let done =
        "select count(*) from due join instances i on i.id = instance_id join steps s using (instance_id)
        where i.status = 'Complete' and s.name = 'pause' and s.status = 'Complete'";
    assert_eq!(fleet.count(done).await, timers, "each ended once");
    let early = fleet
        .count("select count(*) from steps s join due on due.instance_id = s.instance_id where s.completed_at < due.at")
        .await;
    assert_eq!(early, 0, "no timer is early");
    let answer = percentile_99(answers);
    let memory: Vec<usize> = fleet.workers.iter().map(peak_mebibytes).collect();
    println!(
        "{timers} timers in {:?}; p99 of {} starts {answer:?}; MiB {memory:?}",
        begun.elapsed(),
        quick_paths.len()
    );
    assert!(memory.iter().all(|memory| *memory <= MEBIBYTES), "{memory:?} MiB");
    assert!(!is_long() || answer <= Duration::from_millis(500), "{answer:?}");
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

/// Nothing that is dead can be removed meanwhile, and the tables of the queue grow.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_snapshot_is_noticed_and_slows_nobody_down() {
    let fleet = Fleet::start(1, 1).await;
    let load = fleet.begin_load(either(2, 10), Duration::from_millis(either(50, 10))).await;
    fleet.until_more_ended(20).await;
    let (part, times) = either((Duration::from_secs(3), 2), (Duration::from_secs(60), 10));
    let before = done_in(&fleet, part).await;
    let mut session = fleet.app.store().pool().begin().await.unwrap();
    let hold = "set transaction isolation level repeatable read; select count(*) from jobs";
    sqlx::raw_sql(hold).execute(&mut *session).await.unwrap();
    let since = Instant::now();
    let mut last = 0;
    for _ in 0..times {
        last = done_in(&fleet, part).await;
    }
    let noticed = fleet.app.store().measure().await.unwrap().queue.oldest_transaction;
    assert!(noticed > since.elapsed().as_secs_f64() - 1.0, "{noticed} s");
    println!("{before} steps before, {last} at the end of {:?}", since.elapsed());
    assert!(!is_long() || last * 5 >= before * 4, "{before} steps before, {last} at the end");
    session.rollback().await.unwrap();
    fleet.finish(load).await;
}

async fn done_in(fleet: &Fleet, time: Duration) -> usize {
    const STEPS: &str = "select count(*) from steps";
    let before = fleet.count(STEPS).await;
    pass(time).await;
    fleet.count(STEPS).await - before
}
