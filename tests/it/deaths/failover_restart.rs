//! Deadlines in real time: with everybody dead at the moment, with everybody alive, with a receiver that is down.

use std::time::{Duration, Instant};

use trunkline_workflow::dispatch::Status::Delivered;
use uuid::Uuid;

use super::failover_house::{House, handed_in, message, provider, two};
use super::processes::{ServerProcess, WorkerProcess};
use crate::support::{Endpoint, until};

/// Seconds; the shortest that there is.
const EXPIRY: u32 = 15;
const NOT_BEFORE: Duration = Duration::from_secs(15);
const NOT_AFTER: Duration = Duration::from_secs(20);

async fn until_handed_in(provider: &Endpoint, count: usize) -> Instant {
    until("the message is handed in", || async { handed_in(provider).len() >= count }).await;
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn n_064_a_deadline_that_passes_while_everybody_is_dead_fails_over_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 1).await;
    let mut server = ServerProcess::start(house.app.database_url()).await;
    let dispatch = house.post(&server.url, two(EXPIRY)).await;
    until_handed_in(&provider, 1).await;
    house.waits(dispatch).await;
    server.kill();
    house.workers[0].kill();
    let overdue = || async {
        let overdue: i64 =
            sqlx::query_scalar("select count(*) from waits where due_at < now() - interval '1 second'")
                .fetch_one(house.app.store().pool())
                .await
                .unwrap();
        overdue == 1
    };
    until("the deadline passes", overdue).await;
    assert_eq!(handed_in(&provider).len(), 1);

    let server = ServerProcess::start(house.app.database_url()).await;
    house.workers = (0..2).map(|_| WorkerProcess::start(house.app.database_url())).collect();
    until_handed_in(&provider, 2).await;
    house.waits(dispatch).await;
    let [first, second] = handed_in(&provider)[..] else { panic!("two messages, and no third") };
    assert_ne!(first, second);
    let status = serde_json::json!({"message_uuid": "p", "status": "delivered", "client_ref": second,
        "timestamp": "2026-02-03T04:05:06.117Z"});
    let webhook = format!("{}/webhooks/v1/accounts/{}/message-status", server.url, house.app.account());
    let answer = crate::support::http_client()
        .post(webhook)
        .header("authorization", crate::support::WEBHOOK_SECRET)
        .json(&status)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    house.ends(dispatch, "completed").await;
    assert_eq!(handed_in(&provider).len(), 2);
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n_054_n_057_a_silent_message_fails_over_at_its_deadline() {
    let provider = provider().await;
    let house = House::start(&provider.url, 2).await;
    until("the workers are up", || async {
        house.app.store().list_workers(Duration::ZERO).await.unwrap().len() == 2
    })
    .await;
    let server = ServerProcess::start(house.app.database_url()).await;
    let posted = Instant::now();
    let dispatch = house.post(&server.url, two(EXPIRY)).await;
    let accepted = Instant::now();
    let first = until_handed_in(&provider, 1).await;
    assert!(first - accepted < Duration::from_secs(2), "{:?}", first - accepted);
    let second = until_handed_in(&provider, 2).await;
    assert!(second - posted >= NOT_BEFORE, "{:?}", second - posted);
    assert!(second - first <= NOT_AFTER, "{:?}", second - first);
    let [_, last] = handed_in(&provider)[..] else { panic!("two messages, and no third") };
    house.says(last, Delivered).await;
    house.ends(dispatch, "completed").await;
    house.finish().await;
}

/// More calls hang than a worker makes at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn n_078_a_receiver_that_is_down_holds_no_deadline_up() {
    const WORKFLOWS: usize = 80;
    let provider = provider().await;
    let house = House::start(&provider.url, 1).await;
    house.receiver.hold_answers();
    let mut begun: Vec<(Uuid, Instant)> = Vec::new();
    for n in 0..WORKFLOWS {
        let workflow = serde_json::json!([
            message(&format!("4477009{n:03}1"), Some((EXPIRY, "delivered"))),
            message(&format!("4477009{n:03}2"), None),
        ]);
        let at = Instant::now();
        begun.push((house.begin(workflow).await, at));
    }
    until_handed_in(&provider, WORKFLOWS).await;
    let all_first = Instant::now();
    until_handed_in(&provider, WORKFLOWS + 1).await;
    assert!(begun[0].1.elapsed() >= NOT_BEFORE, "{:?}", begun[0].1.elapsed());
    until_handed_in(&provider, 2 * WORKFLOWS).await;
    assert!(all_first.elapsed() <= NOT_AFTER, "{:?}", all_first.elapsed());
    // As many as an account may have under way.
    assert!(house.receiver.received().len() >= 8, "they did hang");

    house.receiver.give_answers();
    for last in &handed_in(&provider)[WORKFLOWS..] {
        house.says(*last, Delivered).await;
    }
    for (dispatch, _) in begun {
        house.ends(dispatch, "completed").await;
    }
    assert_eq!(handed_in(&provider).len(), 2 * WORKFLOWS);
    house.finish().await;
}
