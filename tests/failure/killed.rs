//! `kill -9`: of workers in mid-step, of everything at once, of PostgreSQL; under load, again and again. What one kill
//! at an exact point does is in `tests/it/deaths`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::fleet::Fleet;
use crate::processes::LEASE;
use crate::support::extent::{either, is_long, pass, promised};
use crate::support::until;

const SEED: u64 = 20_261_122;

fn lease() -> u64 {
    LEASE.parse().unwrap()
}

/// 50 starts of four steps each in a second, or a few.
async fn load(fleet: &Fleet) -> crate::fleet::Load {
    fleet.begin_load(either(3, 10), Duration::from_millis(either(100, 190))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_killed_in_mid_step_lose_nothing() {
    let workers = either(4, 6);
    let mut fleet = Fleet::start(1, workers).await;
    let load = load(&fleet).await;
    let mut chance = StdRng::seed_from_u64(SEED);
    let begun = Instant::now();
    let (mut kills, mut left_behind) = (0, Vec::new());
    while either(kills < 4, begun.elapsed() < Duration::from_secs(20 * 60)) {
        fleet.until_more_ended(either(10, 1)).await;
        pass(Duration::from_millis(chance.random_range(either(0..500, 1_000..5_000)))).await;
        // In mid-step: calls that are made and not answered.
        fleet.endpoint.hold_answers();
        let unanswered = || fleet.endpoint.received().len() - fleet.endpoint.answered();
        until("calls are under way", || async { unanswered() >= 2 * workers }).await;
        let name = fleet.replace_worker(chance.random_range(0..workers));
        let killed = Killed::of(&fleet, name).await;
        fleet.endpoint.give_answers();
        left_behind.push(killed);
        // The next ones die meanwhile.
        left_behind = still_left(&fleet, left_behind).await;
        kills += 1;
    }
    while !left_behind.is_empty() {
        pass(Duration::from_millis(50)).await;
        left_behind = still_left(&fleet, left_behind).await;
    }
    let calls = fleet.endpoint.received();
    let distinct: HashSet<u64> = calls.iter().map(|call| call.json()["n"].as_u64().unwrap()).collect();
    assert!(calls.len() > distinct.len(), "{kills} workers were killed, and nobody in mid-step");
    println!("{kills} workers killed");
    fleet.finish(load).await;
}

/// A worker that was killed, and what it held.
struct Killed {
    at: Instant,
    name: String,
    jobs: Vec<(Vec<u8>, i32)>,
}

impl Killed {
    async fn of(fleet: &Fleet, name: String) -> Self {
        let at = Instant::now();
        let held =
            "select j.instance_id, j.n from jobs j join workers w on w.id = j.worker where w.name = $1";
        let jobs = sqlx::query_as(held).bind(&name).fetch_all(fleet.app.store().pool()).await.unwrap();
        Self { at, name, jobs }
    }

    /// Others are at its steps, or have done them.
    async fn is_replaced(&self, fleet: &Fleet) -> bool {
        sqlx::query_scalar(
            "select not exists (
                 select from jobs j
                 join unnest($1::bytea[], $2::int[]) as held (instance_id, n) using (instance_id, n)
                 left join workers w on w.id = j.worker
                 where j.worker is null or w.name = $3
             )",
        )
        .bind(self.jobs.iter().map(|(instance, _)| &instance[..]).collect::<Vec<_>>())
        .bind(self.jobs.iter().map(|(_, n)| *n).collect::<Vec<_>>())
        .bind(&self.name)
        .fetch_one(fleet.app.store().pool())
        .await
        .unwrap()
    }
}

async fn still_left(fleet: &Fleet, killed: Vec<Killed>) -> Vec<Killed> {
    let mut left = Vec::new();
    for killed in killed {
        if !killed.is_replaced(fleet).await {
            assert!(killed.at.elapsed() < promised(lease() + 5), "{:?}", killed.at.elapsed());
            left.push(killed);
        }
    }
    left
}

/// PostgreSQL, too.
#[tokio::test(flavor = "multi_thread")]
async fn everything_killed_at_once_goes_on_where_it_was() {
    let mut fleet = Fleet::start(2, 2).await;
    let load = load(&fleet).await;
    for round in 0..either(2, 50) {
        fleet.until_more_ended(20).await;
        fleet.kill_all();
        fleet.kill_postgres().await;
        let done = fleet.count("select count(*) from steps").await;
        let begun = Instant::now();
        fleet.start_all(2, 2).await;
        let goes_on = || async { fleet.count("select count(*) from steps").await > done };
        until("the first step is done", goes_on).await;
        // What was held is with the dead until their leases have passed; the rest is not.
        assert!(begun.elapsed() < promised(5), "round {round}: {:?}", begun.elapsed());
    }
    fleet.finish(load).await;
}

/// Ten seconds after it is back nothing is late, and what is done from then on is what customers ask for, no backlog.
/// One death after another without measuring: `tests/it/deaths/database_dies.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_is_as_fast_as_before_soon_after() {
    let fleet = Fleet::start(2, 2).await;
    let load = load(&fleet).await;
    let mut chance = StdRng::seed_from_u64(SEED);
    let begun = Instant::now();
    let mut deaths = 0;
    fleet.until_more_ended(20).await;
    while either(deaths < 1, begun.elapsed() < Duration::from_secs(20 * 60)) {
        let before = Rates::during(&fleet, Duration::from_secs(either(3, chance.random_range(20..60)))).await;
        fleet.kill_postgres().await;
        pass(Duration::from_secs(10)).await;
        let late = fleet.count(LATE).await;
        let after = Rates::during(&fleet, Duration::from_secs(either(3, 10))).await;
        println!("{before:?} before, {after:?} after, {late} late");
        if is_long() {
            assert_eq!(late, 0, "ten seconds after its return");
            assert!(after.starts >= 0.9 * before.starts, "{before:?} {after:?}");
            assert!(after.steps >= 0.9 * before.steps, "{before:?} {after:?}");
        }
        deaths += 1;
    }
    fleet.finish(load).await;
}

/// Nobody has begun them a second after they were due.
const LATE: &str =
    "select count(*) from jobs where worker is null and ready_at < now() - interval '1 second'";

/// Per second.
#[derive(Debug)]
struct Rates {
    starts: f64,
    steps: f64,
}

impl Rates {
    async fn during(fleet: &Fleet, time: Duration) -> Self {
        let counts = async || {
            let starts = fleet.count("select count(*) from instances").await;
            [starts, fleet.count("select count(*) from steps").await]
        };
        let (before, begun) = (counts().await, Instant::now());
        pass(time).await;
        let (after, seconds) = (counts().await, begun.elapsed().as_secs_f64());
        let [starts, steps] =
            std::array::from_fn(|at| f64::from(u32::try_from(after[at] - before[at]).unwrap()) / seconds);
        Self { starts, steps }
    }
}
