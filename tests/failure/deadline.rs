//! Replies that come when their deadlines pass: within five milliseconds of them, before and after.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use trunkline_connectors::clock;

use crate::fleet::Fleet;
use crate::support::extent::{either, pass};
use crate::support::{Endpoint, definition, inbound_sms, until};
use crate::verify::verify;

const SEED: u64 = 20_261_123;
const PAIRS: usize = 100;
const NEAR: TimeDelta = TimeDelta::milliseconds(5);

/// What became of a pair.
#[derive(sqlx::FromRow)]
struct Ended {
    n: i32,
    received_at: DateTime<Utc>,
    status: String,
    answered: bool,
    /// Whether the message is noted as used by the instance.
    used: bool,
    log: Vec<String>,
}

const ENDED: &str = "
select (i.data::json ->> 'n')::int as n, e.received_at, i.status, i.data::json ->> 'answer' is not null as answered,
    exists (select from event_uses u where u.event_id = e.id and u.instance_id = i.id and not u.started) as used,
    array(select s.name || ':' || s.status from steps s where s.instance_id = i.id order by s.n) as log
from instances i
join events e on e.body::json -> 'payload' ->> 'source' = i.data::json ->> 'from'
where (i.data::json ->> 'round')::int = $1
order by n";

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_and_its_deadline_are_decided_once() {
    let fleet = Fleet::start(1, 1).await;
    let call = |id: &str| {
        json!({"id": id, "stepType": "HttpRequest", "inputs": {
            "url": format!("{{{{data.url}}}}/{id}"), "method": "POST", "body": {"n": "{{data.n}}"}}})
    };
    let steps = json!([
        {"id": "ask", "stepType": "WaitForReply",
            "inputs": {"from": "{{data.from}}", "channel": "sms", "timeout": "01:00:00"},
            "outputs": {"answer": "{{step.reply.payload.body}}"},
            "selectNextStep": {"got_it": "{{step.reply != null}}", "silent": "{{step.reply == null}}"}},
        call("got_it"),
        call("silent"),
    ]);
    let definition = fleet.app.define(definition(steps)).await;
    let mut chance = StdRng::seed_from_u64(SEED);
    let (mut near, mut answered, mut round) = (0, 0, 0);
    // How long messages take until they are received, by those before.
    let mut delay = TimeDelta::milliseconds(3);
    while near < either(100, 100_000) {
        let gaps = race(&fleet, &definition, round, delay, &mut chance).await;
        near += gaps.iter().filter(|(gap, _)| gap.abs() <= NEAR).count();
        answered += gaps.iter().filter(|(gap, answered)| gap.abs() <= NEAR && *answered).count();
        let mut gaps: Vec<TimeDelta> = gaps.into_iter().map(|(gap, _)| gap).collect();
        gaps.sort_unstable();
        delay += gaps[gaps.len() / 2] / 2;
        round += 1;
        assert!(round < either(100, 10_000), "{near} pairs within five milliseconds in {round} rounds");
    }
    println!("{near} pairs within five milliseconds in {round} rounds; {answered} of them answered");
    assert!(near / 10 < answered && answered < near / 10 * 9, "{answered} of {near} answered: no race");
    verify(fleet.app.database_url()).await;
    fleet.end().await;
}

/// How long after its deadline each message was received, and whether it counted.
async fn race(
    fleet: &Fleet,
    definition: &str,
    round: i32,
    delay: TimeDelta,
    chance: &mut StdRng,
) -> Vec<(TimeDelta, bool)> {
    let endpoint = Endpoint::start().await;
    let from = |n: usize| format!("+65900{n:05}");
    let started = (0..PAIRS).map(|n| {
        let data = json!({"from": from(n), "n": n, "round": round, "url": endpoint.url});
        fleet.app.start_instance(definition, data)
    });
    join_all(started).await;
    until("all of them wait", || async { fleet.count("select count(*) from waits").await == PAIRS }).await;

    // The worker looks for what is due every half second, and then knows when the first of these is.
    let first = clock::now() + TimeDelta::milliseconds(800);
    let due: Vec<_> =
        (0..PAIRS).map(|n| first + TimeDelta::milliseconds(10) * i32::try_from(n).unwrap()).collect();
    let changed = sqlx::query(
        "update waits w set due_at = ($1::timestamptz[])[(i.data::json ->> 'n')::int + 1]
         from instances i where i.id = w.instance_id",
    )
    .bind(&due)
    .execute(fleet.app.store().pool())
    .await
    .unwrap();
    assert_eq!(changed.rows_affected(), PAIRS as u64);
    let messages = due.iter().enumerate().map(|(n, due)| {
        let at = *due - delay + TimeDelta::microseconds(chance.random_range(-5_000..5_000));
        let mut message = inbound_sms(&format!("race-{round}-{n}"), "acme_sms");
        message["payload"]["source"] = from(n).into();
        async move {
            pass((at - clock::now()).to_std().unwrap_or(Duration::ZERO)).await;
            fleet.app.webhook(message).await.expect_status(200);
        }
    });
    join_all(messages).await;
    until("all instances end", || async {
        fleet.count("select count(*) from instances where completed_at is null").await == 0
    })
    .await;

    let pool = fleet.app.store().pool();
    let ended: Vec<Ended> = sqlx::query_as(ENDED).bind(round).fetch_all(pool).await.unwrap();
    sqlx::raw_sql("delete from events").execute(pool).await.unwrap();
    let mut calls: HashMap<i64, Vec<String>> = HashMap::new();
    for call in endpoint.received() {
        calls.entry(call.json()["n"].as_i64().unwrap()).or_default().push(call.target);
    }
    assert_eq!(ended.len(), PAIRS);
    ended
        .into_iter()
        .map(|Ended { n, received_at, status, answered, used, log }| {
            let due = due[usize::try_from(n).unwrap()];
            let (asked, branch) = if answered { ("Complete", "got_it") } else { ("Cancelled", "silent") };
            assert_eq!(status, "Complete", "{round} {n}");
            assert_eq!(log, [format!("ask:{asked}"), format!("{branch}:Complete")], "{round} {n}");
            assert_eq!(calls[&n.into()], [format!("/{branch}")], "{round} {n}: one branch acts, once");
            assert_eq!(used, answered, "{round} {n}: a message is used by whoever goes on with it");
            assert!(!answered || received_at < due, "{round} {n}: {received_at} is after {due}");
            (received_at - due, answered)
        })
        .collect()
}
