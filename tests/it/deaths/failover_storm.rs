//! Workers killed at any moment, a provider of moods, deadlines that come early: all at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use trunkline_workflow::dispatch::Status;
use uuid::Uuid;

use super::failover_house::{House, MESSAGES, message};
use crate::support::{serve_router, until};

const SEED: u64 = 20_240_504;
const WORKFLOWS: usize = 60;
const WORKERS: usize = 3;
const STORM: Duration = Duration::from_secs(14);

/// A request that the provider got.
struct Attempt {
    number: String,
    message: Uuid,
    /// It said that it has not taken it.
    refused_for_now: bool,
}

#[derive(Clone)]
struct Provider {
    attempts: Arc<Mutex<Vec<Attempt>>>,
    chance: Arc<Mutex<StdRng>>,
    /// Messages that it took.
    taken: mpsc::UnboundedSender<Uuid>,
}

async fn take(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    let message: Uuid = body["client_ref"].as_str().unwrap().parse().unwrap();
    let mood = provider.chance.lock().unwrap().random_range(0..10);
    let number = body["to"]["number"].as_str().unwrap().to_owned();
    let attempt = Attempt { number, message, refused_for_now: mood < 2 };
    provider.attempts.lock().unwrap().push(attempt);
    match mood {
        0 => {
            let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), "1".parse().unwrap())]);
            return (StatusCode::TOO_MANY_REQUESTS, headers, Json(json!({}))).into_response();
        }
        1 => return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({}))).into_response(),
        2 => return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"type": "x#1120"}))).into_response(),
        _ => {}
    }
    provider.taken.send(message).unwrap();
    // Long enough for somebody to die meanwhile.
    if mood < 7 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    (StatusCode::ACCEPTED, Json(json!({"message_uuid": format!("p-{message}")}))).into_response()
}

fn workflow(n: usize) -> Value {
    json!([
        message(&format!("4477009{n:03}1"), Some((600, "read"))),
        message(&format!("4477009{n:03}2"), Some((600, "delivered"))),
        message(&format!("4477009{n:03}3"), None),
    ])
}

/// What becomes of a message that was taken, in order.
fn fate(chance: &mut StdRng) -> &'static [Status] {
    match chance.random_range(0..10) {
        0 => &[],
        1 => &[Status::Undeliverable],
        2 => &[Status::Submitted, Status::Delivered],
        3 => &[Status::Delivered, Status::Undeliverable],
        4 | 5 => &[Status::Read, Status::Delivered],
        6 => &[Status::Delivered, Status::Delivered, Status::Read],
        _ => &[Status::Delivered],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_of_kills_every_workflow_ends_once_and_no_message_is_sent_twice() {
    let mut chance = StdRng::seed_from_u64(SEED);
    let (taken, mut to_report) = mpsc::unbounded_channel();
    let provider = Provider {
        attempts: Arc::default(),
        chance: Arc::new(Mutex::new(StdRng::seed_from_u64(SEED + 1))),
        taken,
    };
    let router = Router::new().route(MESSAGES, routing::post(take)).with_state(provider.clone());
    let mut house = House::start(&serve_router(router).await, WORKERS).await;
    // Its receiver has moods too.
    let moods: Vec<(u16, Value)> =
        (0..60).map(|n| (if n % 4 == 1 { 503 } else { 204 }, json!(null))).collect();
    house.receiver.script("/st", &moods);
    let begun = Instant::now();
    let mut next_kill = Duration::from_secs(1);
    let mut workflows = Vec::new();
    while begun.elapsed() < STORM {
        // All in the first half.
        let due = WORKFLOWS * 2 * usize::try_from(begun.elapsed().as_millis()).unwrap()
            / usize::try_from(STORM.as_millis()).unwrap();
        while workflows.len() <= due.min(WORKFLOWS - 1) {
            workflows.push(house.begin(workflow(workflows.len())).await);
        }
        if begun.elapsed() > next_kill {
            house.kill(chance.random_range(0..WORKERS));
            next_kill = begun.elapsed() + Duration::from_millis(chance.random_range(100..700));
        }
        while let Ok(message) = to_report.try_recv() {
            for status in fate(&mut chance) {
                house.says(message, *status).await;
            }
        }
        deadlines_pass(&house, chance.random_range(0.0..0.01)).await;
        tokio::time::sleep(Duration::from_millis(chance.random_range(1..20))).await;
    }
    assert_eq!(workflows.len(), WORKFLOWS);
    until("all workflows end", || async {
        deadlines_pass(&house, 0.2).await;
        let open: i64 = sqlx::query_scalar("select count(*) from instances where completed_at is null")
            .fetch_one(house.app.store().pool())
            .await
            .unwrap();
        open == 0
    })
    .await;

    let interrupted: i64 = sqlx::query_scalar("select count(*) from steps where attempt > 1")
        .fetch_one(house.app.store().pool())
        .await
        .unwrap();
    assert!(interrupted > 5, "{interrupted} interrupted steps are no storm");
    let mut of_message: HashMap<Uuid, Vec<bool>> = HashMap::new();
    let mut of_number: HashMap<String, Uuid> = HashMap::new();
    for attempt in provider.attempts.lock().unwrap().iter() {
        of_message.entry(attempt.message).or_default().push(attempt.refused_for_now);
        let first = *of_number.entry(attempt.number.clone()).or_insert(attempt.message);
        assert_eq!(first, attempt.message, "{} got the message under two keys", attempt.number);
    }
    for (message, refused) in &of_message {
        let before_the_last = &refused[..refused.len() - 1];
        assert!(
            before_the_last.iter().all(|refused| *refused),
            "{message} was taken and sent again: {refused:?}"
        );
    }
    assert!(of_number.len() > WORKFLOWS, "some failed over");
    house.finish().await;
}

/// That part of the deadlines is now.
async fn deadlines_pass(house: &House, part: f64) {
    sqlx::query("update waits set due_at = now() where kind = 'receipt' and random() < $1")
        .bind(part)
        .execute(house.app.store().pool())
        .await
        .unwrap();
}
