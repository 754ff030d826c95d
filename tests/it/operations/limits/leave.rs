//! Leave is given to many who ask at once, and never more than the rates allow.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::limits::{Ask, Leave};
use trunkline_store::workers::Incarnation;
use trunkline_workflow::limits::{Channel, Outgoing, Reason, read_settings};
use trunkline_workflow::{AccountId, InstanceId};
use uuid::Uuid;

use crate::support::TestApp;
use crate::support::open_store;

async fn set(app: &TestApp, limits: Value) {
    let settings = read_settings(limits.as_object().unwrap()).unwrap();
    app.store().set_limits(app.account(), &settings, &By::trunkline()).await.unwrap();
}

fn ask(number: u32, sender: &str, recipient: &str) -> Ask {
    Ask {
        instance: InstanceId::from_parts(1_800_000_000, [7; 5], number),
        path: 1,
        n: 1,
        definition: Uuid::from_u128(1),
        worker: Incarnation(1),
        send: Some(Outgoing {
            channel: Channel::Sms,
            senders: vec![sender.to_owned()],
            recipient: Some(recipient.to_owned()),
        }),
    }
}

/// When each may send, of those who may.
fn given(leaves: &[Leave]) -> Vec<DateTime<Utc>> {
    let at = |leave: &Leave| match leave {
        Leave::Given { at, .. } => Some(*at),
        Leave::Waits { .. } => None,
    };
    let mut given: Vec<_> = leaves.iter().filter_map(at).collect();
    given.sort_unstable();
    given
}

fn assert_no_window_has_more(given: &[DateTime<Utc>], messages: usize, period: TimeDelta) {
    for (first, over) in given.iter().zip(given.iter().skip(messages)) {
        assert!(*over - *first >= period, "{messages} and one more between {first} and {over}");
    }
}

/// Asks from several processes' worth of stores, again and again, each for another message.
async fn storm(stores: &[Store], account: &AccountId, rounds: u32, per_round: u32) -> Vec<Leave> {
    let account = Arc::new(account.clone());
    let tasks = (0_u32..).zip(stores).map(|(worker, store)| {
        let (store, account) = (store.clone(), account.clone());
        tokio::spawn(async move {
            let mut leaves = Vec::new();
            for round in 0..rounds {
                let first = (worker * rounds + round) * per_round;
                let asks: Vec<Ask> = (first..first + per_round)
                    .map(|number| ask(number, "acme_sms", &format!("+{number}")))
                    .collect();
                leaves.extend(store.ask_leave(&account, &asks).await.unwrap());
            }
            leaves
        })
    });
    join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_never_send_more_than_the_rate_in_any_window() {
    let app = TestApp::start().await;
    let stores: Vec<Store> = (0..8).map(|_| open_store(app.database_url())).collect();
    for (messages, per, period) in [
        (7, "second", TimeDelta::seconds(1)),
        (300, "second", TimeDelta::seconds(1)),
        (5, "minute", TimeDelta::minutes(1)),
    ] {
        sqlx::query("truncate rates, leaves").execute(app.store().pool()).await.unwrap();
        set(&app, json!({"rates": [{"messages": messages, "per": per}]})).await;
        let leaves = storm(&stores, app.account(), 20, 5).await;
        let given = given(&leaves);
        assert!(
            given.len() >= messages.min(leaves.len()) * 9 / 10,
            "{} of {messages} were given",
            given.len()
        );
        assert_no_window_has_more(&given, messages, period);
    }
}

#[tokio::test]
async fn whoever_asks_again_needs_no_second_leave() {
    let app = TestApp::start().await;
    set(&app, json!({"rates": [{"messages": 1, "per": "hour"}]})).await;
    let asked = async |asks: &[Ask]| app.store().ask_leave(app.account(), asks).await.unwrap();
    let first = ask(1, "a", "+1");
    let given_first = asked(std::slice::from_ref(&first)).await;
    assert!(matches!(given_first[0], Leave::Given { .. }));
    let again = asked(&[first.clone(), first.clone()]).await;
    assert_eq!(given(&again), [given(&given_first)[0]; 2]);
    let Leave::Waits { after, reason: Reason::RateLimited { limit, rate, until, .. } } =
        asked(&[ask(2, "a", "+2")]).await.remove(0)
    else {
        panic!("it was let through");
    };
    assert_eq!((limit.as_str(), rate.messages), ("account", 1));
    assert_eq!(until, given(&given_first)[0] + TimeDelta::hours(1));
    assert!(after > std::time::Duration::from_secs(3_500), "{after:?}");
}

#[tokio::test]
async fn those_who_wait_are_told_times_in_their_order() {
    let app = TestApp::start().await;
    set(&app, json!({"rates": [{"messages": 2, "per": "minute"}]})).await;
    let asks: Vec<Ask> = (0..6).map(|number| ask(number, "a", "+1")).collect();
    let leaves = app.store().ask_leave(app.account(), &asks).await.unwrap();
    let begun = given(&leaves)[0];
    let minutes: Vec<i64> = leaves
        .iter()
        .map(|leave| match leave {
            Leave::Given { .. } => 0,
            Leave::Waits { reason: Reason::RateLimited { until, .. }, .. } => (*until - begun).num_minutes(),
            Leave::Waits { reason, .. } => panic!("{reason:?}"),
        })
        .collect();
    assert_eq!(minutes, [0, 0, 1, 1, 2, 2]);
}

#[tokio::test]
async fn senders_and_recipients_have_rates_of_their_own() {
    let app = TestApp::start().await;
    let per_day = |messages: u32| json!([{"messages": messages, "per": "day"}]);
    set(&app, json!({"senders": [{"sender": "ACME", "rates": per_day(3)}], "recipients": per_day(2)})).await;
    let asked = async |number, sender, recipient| match app
        .store()
        .ask_leave(app.account(), &[ask(number, sender, recipient)])
        .await
        .unwrap()
        .remove(0)
    {
        Leave::Given { .. } => "sent".to_owned(),
        Leave::Waits { reason: Reason::RateLimited { limit, sender, .. }, .. } => {
            format!("{limit} {}", sender.unwrap_or_default())
        }
        Leave::Waits { reason, .. } => panic!("{reason:?}"),
    };
    assert_eq!(asked(1, "acme", "+65 9000 1111").await, "sent");
    assert_eq!(asked(2, "acme", "6590001111").await, "sent");
    assert_eq!(asked(3, "acme", "0065-90001111").await, "recipient ");
    assert_eq!(asked(4, "acme", "+6590002222").await, "sent");
    assert_eq!(asked(5, "acme", "+6590003333").await, "sender ACME");
    assert_eq!(asked(6, "other", "+6590003333").await, "sent");
    assert_eq!(asked(7, "other", "+6590004444").await, "sent");
    assert_eq!(asked(8, "other", "+6590004444").await, "sent");
    assert_eq!(asked(9, "other", "+6590004444").await, "recipient ");
    let names: Vec<String> =
        sqlx::query_scalar("select name from rates").fetch_all(app.store().pool()).await.unwrap();
    assert!(names.iter().all(|name| !name.contains("9000")), "numbers of people: {names:?}");
}
