//! No account holds the others back, whatever it floods the queue with. Positions are asserted, never times.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};
use trunkline_store::jobs::{self, LowWaterMark, Passed, Share};
use trunkline_store::pools::{Accounts, Steps};
use trunkline_store::starts::NewInstance;
use trunkline_store::{Store, workers};
use trunkline_workers::Settings;
use trunkline_workflow::{AccountId, DefinitionId};

use crate::deaths::processes::WorkerProcess;
use crate::support::{Answer, Engine, TestApp, definition, until};

/// An account with a definition.
struct Tenant {
    account: AccountId,
    definition: DefinitionId,
    key: String,
}

async fn tenant(app: &TestApp, name: &str, steps: &Value) -> Tenant {
    let (account, key) = app.other_account(name).await;
    let path = format!("/api/v1/accounts/{account}/definitions");
    let request = app.request(Method::POST, &path).bearer_auth(&key);
    let saved = Answer::of(request.json(&definition(steps.clone()))).await.expect(201);
    let definition = saved["id"].as_str().unwrap().parse().unwrap();
    Tenant { account, definition, key }
}

async fn start(store: &Store, tenant: &Tenant, count: usize) {
    let instance = NewInstance {
        account: tenant.account.clone(),
        definition: tenant.definition,
        version: 1,
        data: Map::new().into(),
    };
    store.start(vec![instance; count]).await.unwrap();
}

fn one_step() -> Value {
    json!([{"id": "only", "stepType": "If"}])
}

/// So many steps, one after the other.
fn chain(length: usize) -> Value {
    let step = |n: usize| {
        let next = (n + 1 < length).then(|| format!("s{}", n + 1));
        json!({"id": format!("s{n}"), "stepType": "If", "nextStepId": next})
    };
    (0..length).map(step).collect()
}

fn with_slots(slots: usize) -> Settings {
    Settings { slots, ..Settings::default() }
}

async fn count(store: &Store, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(store.pool()).await.unwrap()
}

/// The accounts of the finished steps, the first one first.
async fn finished(store: &Store) -> Vec<String> {
    sqlx::query_scalar(
        "select i.account_id
         from steps s
         join instances i on i.id = s.instance_id
         order by s.completed_at",
    )
    .fetch_all(store.pool())
    .await
    .unwrap()
}

const OPEN: &str = "select count(*) from instances where completed_at is null";
const DONE: &str = "select count(*) from instances where completed_at is not null";
const OPEN_OF_LATE: &str =
    "select count(*) from instances where account_id = 'late' and completed_at is null";
const HELD_OF_SLOW: &str = "select count(*) from jobs where account_id = 'slow' and worker is not null";
const OPEN_OF_QUICK: &str =
    "select count(*) from instances where account_id = 'quick' and completed_at is null";
const OPEN_BUT_OF_A: &str = "select count(*) from instances where account_id <> 'a' and completed_at is null";

async fn until_all_ended(store: &Store) {
    until("all have ended", || async { count(store, OPEN).await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_account_leaves_the_others_their_turn() {
    let mut engine = Engine::start_without_worker().await;
    let app = &engine.app;
    let flood = tenant(app, "flood", &one_step()).await;
    start(app.store(), &flood, 5_000).await;
    for name in ["a", "m", "z"] {
        let other = tenant(app, name, &one_step()).await;
        start(app.store(), &other, 5).await;
    }
    engine.start_worker(with_slots(16));
    let store = engine.app.store();
    until_all_ended(store).await;
    let finished = finished(store).await;
    assert_eq!(finished.len(), 5_015);
    let last = finished.iter().rposition(|account| account != "flood").unwrap();
    assert!(last < 300, "the last of the others was the {last}th");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_found_while_a_flood_is_worked_off() {
    let mut engine = Engine::start_without_worker().await;
    let flood = tenant(&engine.app, "flood", &one_step()).await;
    let late = tenant(&engine.app, "late", &one_step()).await;
    start(engine.app.store(), &flood, 20_000).await;
    engine.start_worker(with_slots(16));
    let store = engine.app.store();
    until("the flood is under way", || async { count(store, DONE).await > 200 }).await;
    start(store, &late, 3).await;
    until("the newcomers have ended", || async { count(store, OPEN_OF_LATE).await == 0 }).await;
    assert!(count(store, OPEN).await > 5_000, "they waited for the flood");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_accounts_with_much_to_do_get_about_the_same() {
    let mut engine = Engine::start_without_worker().await;
    for name in ["a", "b", "c"] {
        let tenant = tenant(&engine.app, name, &one_step()).await;
        // One after the other, so that whoever came first would be served first.
        start(engine.app.store(), &tenant, 1_000).await;
    }
    engine.start_worker(with_slots(24));
    let store = engine.app.store();
    until_all_ended(store).await;
    let mut shares: HashMap<String, usize> = HashMap::new();
    for account in finished(store).await.into_iter().take(1_500) {
        *shares.entry(account).or_default() += 1;
    }
    let all = shares.len() == 3 && shares.values().all(|share| (350..650).contains(share));
    assert!(all, "of the first 1,500: {shares:?}");
    engine.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_accounts_with_a_job_each_are_all_served() {
    let mut engine = Engine::start_without_worker().await;
    let store = engine.app.store().clone();
    sqlx::query("insert into accounts (id) select 't' || n from generate_series(1, 5000) n")
        .execute(store.pool())
        .await
        .unwrap();
    // Of definitions that are not there: each is claimed, and ends with an error.
    let instances = (1..=5_000).map(|n| NewInstance {
        account: AccountId::new(format!("t{n}")),
        definition: DefinitionId::nil(),
        version: 1,
        data: Map::new().into(),
    });
    store.start(instances.collect()).await.unwrap();
    engine.start_worker(Settings::default());
    until_all_ended(&store).await;
    assert_eq!(count(&store, "select count(distinct account_id) from failures").await, 5_000);
    engine.stop_worker().await;
}

/// Paths that go on and on are given up sooner when somebody has no slot at all.
#[tokio::test(flavor = "multi_thread")]
async fn long_paths_make_room_for_who_waits() {
    let mut engine = Engine::start_without_worker().await;
    for (name, length) in [("a", 400), ("b", 400), ("c", 1)] {
        let tenant = tenant(&engine.app, name, &chain(length)).await;
        start(engine.app.store(), &tenant, if length > 1 { 8 } else { 1 }).await;
    }
    engine.start_worker(with_slots(4));
    let store = engine.app.store();
    until_all_ended(store).await;
    let finished = finished(store).await;
    let position = finished.iter().position(|account| account == "c").unwrap();
    assert!(position < 300, "it was the {position}th of {}", finished.len());
    engine.finish().await;
}

/// A real worker, eight slots, and an endpoint that never answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_of_one_account_does_not_fill_a_worker() {
    let engine = Engine::start_without_worker().await;
    let (app, store) = (&engine.app, engine.app.store());
    let url = format!("{}/hangs", engine.endpoint.url);
    let steps = json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"}}]);
    let slow = tenant(app, "slow", &steps).await;
    let quick = tenant(app, "quick", &one_step()).await;
    start(store, &slow, 200).await;
    let _worker = WorkerProcess::start_with(app.database_url(), &[("TRUNKLINE_WORKER_SLOTS", "8")]);
    until("the slow one has all that it may have", || async { count(store, HELD_OF_SLOW).await == 6 }).await;
    start(store, &quick, 100).await;
    until("the quick ones have ended", || async { count(store, OPEN_OF_QUICK).await == 0 }).await;
    assert_eq!(
        (count(store, HELD_OF_SLOW).await, engine.endpoint.received().len()),
        (6, 6),
        "no more, no less"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_alone_has_all_slots_unless_told_otherwise() {
    let mut engine = Engine::start_without_worker().await;
    let url = format!("{}/hangs", engine.endpoint.url);
    let steps = json!([{"id": "call", "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"}}]);
    let id = engine.app.define(definition(steps)).await;
    for _ in 0..20 {
        engine.app.start_instance(&id, json!({})).await;
    }
    let told = Settings { slots_per_account: Some(5), grace: Duration::ZERO, ..with_slots(8) };
    for (settings, expected) in [(Settings { slots_per_account: None, ..told.clone() }, 8), (told, 13)] {
        engine.start_worker(settings);
        let endpoint = &engine.endpoint;
        until("it holds all it may", || async { endpoint.received().len() == expected }).await;
        engine.stop_worker().await;
    }
    assert_eq!(engine.endpoint.received().len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_take_the_jobs_of_their_accounts_and_say_so() {
    let engine = Engine::start_without_worker().await;
    let (app, store) = (&engine.app, engine.app.store());
    let mut tenants = Vec::new();
    for name in ["a", "b", "c"] {
        let tenant = tenant(app, name, &one_step()).await;
        start(store, &tenant, 50).await;
        tenants.push(tenant);
    }
    let ended = async || -> Vec<(String, i64)> {
        sqlx::query_as(
            "select account_id, count(*) from instances where completed_at is not null group by 1 order by 1",
        )
        .fetch_all(store.pool())
        .await
        .unwrap()
    };
    let of = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 50)).collect::<Vec<_>>();

    let only = WorkerProcess::start_with(app.database_url(), &[("TRUNKLINE_WORKER_ACCOUNTS", "b")]);
    until("the pool of b is idle", || async { ended().await == of(&["b"]) }).await;
    let instance: Vec<u8> = sqlx::query_scalar("select instance_id from jobs where account_id = 'a' limit 1")
        .fetch_one(store.pool())
        .await
        .unwrap();
    let id = trunkline_workflow::InstanceId::from_bytes(&instance).unwrap();
    let path = format!("/api/v1/accounts/a/instances/{id}");
    let explained =
        Answer::of(app.request(Method::GET, &path).bearer_auth(&tenants[0].key)).await.expect(200);
    let blocked_on = &explained["steps"][0]["blockedOn"];
    assert_eq!((&blocked_on["reason"], &blocked_on["workers"]), (&json!("noWorker"), &json!(0)));
    let message = blocked_on["message"].as_str().unwrap();
    assert!(message.ends_with("no live worker of a pool that takes it; others: 1."), "{message}");

    let except =
        WorkerProcess::start_with(app.database_url(), &[("TRUNKLINE_WORKER_EXCEPT_ACCOUNTS", "a,b")]);
    until("the other pool is idle", || async { ended().await == of(&["b", "c"]) }).await;
    start(store, &tenants[1], 10).await;
    start(store, &tenants[2], 10).await;
    until("both go on", || async { count(store, OPEN_BUT_OF_A).await == 0 }).await;
    assert_eq!(count(store, OPEN).await, 50, "nobody takes those of a");

    let fleet = store.list_workers(Duration::ZERO).await.unwrap();
    let pool = |name: &str| {
        let worker = fleet.iter().find(|worker| worker.name == name).unwrap();
        (worker.accounts.clone(), worker.except_accounts.clone())
    };
    assert_eq!(pool(&only.name), (Some(vec!["b".to_owned()]), None));
    assert_eq!(pool(&except.name), (None, Some(vec!["a".to_owned(), "b".to_owned()])));
}

/// What the worker asks the database for, against what is there.
#[tokio::test]
async fn shares_are_claimed_and_looks_find_who_waits() {
    let app = TestApp::start().await;
    let store = app.store();
    let names = ["a", "b", "c", "d", "e"];
    for (at, name) in names.iter().enumerate() {
        let tenant = tenant(&app, name, &one_step()).await;
        start(store, &tenant, at + 1).await;
    }
    let mut connection = store.hot_connection().await.unwrap();
    let worker = workers::register_in_pool(
        &mut connection,
        ("w", 10, "0"),
        Duration::from_secs(60),
        false,
        (&Accounts::All, &Steps::All),
    )
    .await
    .unwrap();
    let accounts: Vec<AccountId> = names.iter().copied().map(AccountId::new).collect();
    let look = async |connection: &mut _, after: Option<&str>, passed: &[Passed<'_>], limit| {
        let after = after.map(AccountId::new);
        let found = jobs::find_waiting(connection, after.as_ref(), passed, limit).await.unwrap();
        let names: Vec<String> = found.accounts.iter().map(ToString::to_string).collect();
        (names.join(""), found.next_after.map(|account| account.to_string()))
    };
    let passed = |at: usize, begin| Passed { account: &accounts[at], begin };
    let ago = Some(chrono::DateTime::UNIX_EPOCH);
    let later = Some(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(100_000));
    let nobody = AccountId::new("bb");
    let stranger = Passed { account: &nobody, begin: ago };
    for (after, skipped, limit, expected) in [
        (None, vec![], 9, ("abcde", None)),
        (None, vec![], 2, ("ab", Some("b"))),
        (Some("b"), vec![], 2, ("cd", Some("d"))),
        (Some("d"), vec![], 2, ("e", None)),
        (None, vec![passed(1, ago), passed(4, ago)], 9, ("abcde", None)),
        (None, vec![passed(0, None), passed(2, later), stranger], 9, ("bde", None)),
        (Some("b"), vec![passed(0, ago), passed(3, None)], 9, ("ce", None)),
        (None, vec![passed(0, None)], 2, ("b", Some("b"))),
    ] {
        let found = look(&mut connection, after, &skipped, limit).await;
        assert_eq!((found.0.as_str(), found.1.as_deref()), expected, "{after:?} {limit}");
    }
    let among = [passed(2, ago), passed(3, later), passed(4, None)];
    let found = jobs::find_waiting_among(&mut connection, &among).await.unwrap();
    assert_eq!(found.accounts, [AccountId::new("c")]);

    let mut marks: Vec<LowWaterMark> = names.iter().map(|_| LowWaterMark::default()).collect();
    let mut shares: Vec<Share<'_>> = accounts
        .iter()
        .zip(&mut marks)
        .map(|(account, mark)| Share { account, limit: 3, mark })
        .skip(1)
        .collect();
    let mut claimed = Vec::new();
    for _ in 0..2 {
        let jobs = jobs::claim_shares(&mut connection, worker, &mut shares).await.unwrap();
        let mut accounts: Vec<String> = jobs.iter().map(|job| job.account.to_string()).collect();
        accounts.sort();
        claimed.push(accounts.join(""));
    }
    assert_eq!(claimed, ["bbcccdddeee", "dee"]);
    assert_eq!(look(&mut connection, None, &[], 9).await.0, "a");
    assert_eq!(store.drain_workers("w", true).await.unwrap(), 1);
    let mut mark = LowWaterMark::default();
    let mut share = [Share { account: &accounts[0], limit: 3, mark: &mut mark }];
    assert!(jobs::claim_shares(&mut connection, worker, &mut share).await.unwrap().is_empty());
}
