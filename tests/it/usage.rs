//! What an account started and may start: `GET usage`, `GET usage/history`, quotas, the limit of requests
//! (spec 2.15, 2.16, 5.7, U-36, U-37, U-57).

use std::num::NonZeroU32;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Map, Value, json};
use trunkline::api::ApiConfig;
use trunkline::api::automation::usage::show::UsageShape;
use trunkline_store::audit::By;
use trunkline_store::starts::NewInstance;
use trunkline_store::usage::{Allowance, QuotaChange};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::support::{Answer, TestApp, sample, until};

/// What the account started this month.
async fn executed(app: &TestApp) -> i64 {
    app.get("/usage").await.expect(200)[0]["executedWorkflowCount"].as_i64().unwrap()
}

async fn instances(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from instances").fetch_one(app.store().pool()).await.unwrap()
}

fn quota(allowed: i64) -> QuotaChange {
    QuotaChange { allowed: Some(Some(allowed)), overage: Some(false), overage_price: None }
}

#[tokio::test]
async fn c_245_usage_is_an_array_of_one_object_with_all_counters() {
    let app = TestApp::start().await;
    let usage = app.get("/usage").await.expect(200);
    assert_eq!(usage.as_array().unwrap().len(), 1);
    let members: Vec<&String> = usage[0].as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "accountId",
            "allowedWorkflowCount",
            "allowedOverage",
            "overagePrice",
            "executedWorkflowCount",
            "countStartedMonth",
            "countStartedYear"
        ]
    );
    let (year, month): (i32, i32) = sqlx::query_as(
        "select extract(year from now() at time zone 'UTC')::int, extract(month from now() at time zone 'UTC')::int",
    )
    .fetch_one(app.store().pool())
    .await
    .unwrap();
    assert_eq!(
        usage[0],
        json!({"accountId": "acme", "allowedWorkflowCount": 2_147_483_647, "allowedOverage": true,
            "overagePrice": 0.0, "executedWorkflowCount": 0, "countStartedMonth": month, "countStartedYear": year})
    );
    let change =
        QuotaChange { allowed: Some(Some(50_000)), overage: Some(false), overage_price: Some(0.005) };
    assert!(app.store().change_quota(app.account(), change, &By::trunkline()).await.unwrap());
    let usage = app.get("/usage").await.expect(200);
    assert_eq!(
        (&usage[0]["allowedWorkflowCount"], &usage[0]["allowedOverage"], &usage[0]["overagePrice"]),
        (&json!(50_000), &json!(false), &json!(0.005))
    );
}

#[tokio::test]
async fn the_bare_object_is_shown_where_the_server_is_told_so() {
    let config = ApiConfig { usage_shape: UsageShape::Object, ..ApiConfig::default() };
    let app = TestApp::start_with(config).await;
    assert_eq!(app.get("/usage").await.expect(200)["accountId"], "acme");
}

/// U-37: also those by hand.
#[tokio::test]
async fn c_246_every_start_counts_once_whatever_starts_it() {
    let app = TestApp::start().await;
    let by_hand = app.define(sample::pong()).await;
    app.start_instance(&by_hand, json!({})).await;
    assert_eq!(executed(&app).await, 1);

    app.define(sample::enabled("http_request", None)).await;
    app.define(sample::enabled("http_request", None)).await;
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    assert_eq!(executed(&app).await, 3);

    let keyed = || {
        let path = format!("/definitions/{by_hand}/workflows");
        app.account_request(Method::POST, &path).header("Idempotency-Key", "k").json(&json!({}))
    };
    for _ in 0..2 {
        Answer::of(keyed()).await.expect_empty(201);
    }
    assert_eq!(executed(&app).await, 4);

    let (other, _) = app.other_account("other").await;
    assert_eq!(app.store().usage(&other).await.unwrap().unwrap().this_month.started, 0);
    assert_eq!(app.store().usage(&AccountId::new("nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn c_246_what_was_not_started_does_not_count() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let start = format!("/definitions/{definition}/workflows");
    app.post(&start, json!([])).await.expect_error(400, 1000);
    app.post(&format!("{start}?version=2"), json!({})).await.expect_error(404, 1300);
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    // The database refuses an id that it has; the count was in the same statement.
    let new = || NewInstance {
        account: app.account().clone(),
        definition: definition.parse().unwrap(),
        version: 1,
        data: Map::new().into(),
    };
    sqlx::query("alter table jobs add constraint none check (path = 0) not valid")
        .execute(app.store().pool())
        .await
        .unwrap();
    assert!(app.store().start(vec![new(), new()]).await.is_err());
    sqlx::query("alter table jobs drop constraint none").execute(app.store().pool()).await.unwrap();
    assert_eq!((executed(&app).await, instances(&app).await), (0, 0));
    app.store().start(vec![new(), new()]).await.unwrap();
    assert_eq!((executed(&app).await, instances(&app).await), (2, 2));
}

/// Over HTTP through one server, through another store, with keys, which start on connections of their own,
/// and with several accounts in one statement, in different orders.
#[tokio::test(flavor = "multi_thread")]
async fn c_246_parallel_starts_are_counted_exactly() {
    const CLIENTS: usize = 16;
    const EACH: usize = 25;
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let id: Uuid = definition.parse().unwrap();
    let (other, _) = app.other_account("other").await;
    let second = trunkline_store::Store::open(app.database_url(), 8).unwrap();
    let path = format!("/definitions/{definition}/workflows");
    let clients = (0..CLIENTS).map(|client| {
        let (app, path, other, second) = (&app, &path, &other, &second);
        async move {
            for number in 0..EACH {
                let mut request = app.account_request(Method::POST, path).json(&json!({}));
                if client % 2 == 0 {
                    request = request.header("Idempotency-Key", format!("{client}-{number}"));
                }
                let both = async {
                    let new = |account: &AccountId| NewInstance {
                        account: account.clone(),
                        definition: id,
                        version: 1,
                        data: Map::new().into(),
                    };
                    let mut pair = vec![new(app.account()), new(other)];
                    if client % 3 == 0 {
                        pair.reverse();
                    }
                    second.start(pair).await.unwrap()
                };
                let (answer, both) = futures::future::join(Answer::of(request), both).await;
                answer.expect_empty(201);
                assert_eq!(both.len(), 2);
            }
        }
    });
    join_all(clients).await;
    let each = i64::try_from(CLIENTS * EACH).unwrap();
    assert_eq!(executed(&app).await, 2 * each);
    assert_eq!(app.store().usage(&other).await.unwrap().unwrap().this_month.started, each);
    assert_eq!(instances(&app).await, 3 * each);
    second.close().await;
}

#[tokio::test]
async fn c_247_history_is_a_list_of_months_the_newest_first() {
    let app = TestApp::start().await;
    let current = app.get("/usage/history").await.expect(200);
    assert_eq!(current.as_array().unwrap().len(), 1);
    assert_eq!(current[0]["executedWorkflowCount"], 0);
    let definition = app.define(sample::pong()).await;
    app.start_instance(&definition, json!({})).await;
    // Two shards of last month; 12 and 13 months ago; somebody else's.
    sqlx::query(
        "insert into usage_counts (account_id, year, month, shard, started)
         select account, extract(year from month), extract(month from month), shard, started
         from (values ('acme', 1, 3, 40), ('acme', 1, 4, 2), ('acme', 12, 0, 7), ('acme', 13, 0, 9),
             ('other', 2, 0, 5)) as past (account, ago, shard, started),
             lateral (select date_trunc('month', now() at time zone 'UTC') - ago * interval '1 month') as t (month)",
    )
    .execute(app.store().pool())
    .await
    .unwrap();
    let history = app.get("/usage/history").await.expect(200);
    let months = history.as_array().unwrap();
    let counts: Vec<&Value> = months.iter().map(|month| &month["executedWorkflowCount"]).collect();
    assert_eq!(counts, [1, 42, 7]);
    for month in months {
        let members: Vec<&String> = month.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "accountId", "executedWorkflowCount", "month", "year"]);
        let id = month["id"].as_str().unwrap();
        assert!(id.len() == 24 && id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{id}");
        assert_eq!(month["accountId"], "acme");
    }
    let at = |index: usize| {
        months[index]["year"].as_i64().unwrap() * 12 + months[index]["month"].as_i64().unwrap()
    };
    assert_eq!((at(0) - at(1), at(0) - at(2)), (1, 12));
    assert_eq!(months[0]["id"], current[0]["id"], "ids stay");
    assert_ne!(months[0]["id"], months[1]["id"]);
    let usage = app.get("/usage").await.expect(200);
    assert_eq!(usage[0]["executedWorkflowCount"], 1);
    assert_eq!(usage[0]["countStartedMonth"], months[0]["month"]);
}

#[tokio::test]
async fn a_quota_that_is_used_up_refuses_starts_by_hand_and_triggers_start_nothing() {
    let app = TestApp::start().await;
    assert!(app.store().change_quota(app.account(), quota(3), &By::trunkline()).await.unwrap());
    let definition = app.define(sample::enabled("http_request", None)).await;
    let start = format!("/definitions/{definition}/workflows");
    app.post(&start, json!({})).await.expect_empty(201);
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    let keyed = |key: &str, body: Value| {
        app.account_request(Method::POST, &start).header("Idempotency-Key", key).json(&body)
    };
    let last = Answer::of(keyed("last", json!({}))).await;
    last.expect_empty(201);
    assert_eq!(app.store().allowance(app.account()).await.unwrap(), Allowance::UsedUp);

    let refused = app.post(&start, json!({})).await.expect_error(403, 1201);
    assert_eq!(refused, "The account has started all the workflows that it may start this month.");
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    Answer::of(keyed("new", json!({}))).await.expect_error(403, 1201);
    // What was started before is told again: it is no new start.
    let repeated = Answer::of(keyed("last", json!({}))).await;
    repeated.expect_empty(201);
    assert_eq!(repeated.header("location"), last.header("location"));
    Answer::of(keyed("last", json!({"a": 1}))).await.expect_error(409, 1000);
    // A mistake stays a mistake.
    app.post(&format!("{start}?version=9"), json!({})).await.expect_error(404, 1300);
    assert_eq!((executed(&app).await, instances(&app).await), (3, 3));

    let (other, _) = app.other_account("other").await;
    assert_eq!(app.store().allowance(&other).await.unwrap(), Allowance::Unlimited);

    // Last month's starts are no matter of this one's.
    sqlx::query("update usage_counts set year = year - 1").execute(app.store().pool()).await.unwrap();
    app.post(&start, json!({})).await.expect_empty(201);
}

/// The message is taken and what waits for it goes on; only new instances are none.
#[tokio::test]
async fn messages_start_nothing_for_an_account_whose_quota_is_used_up() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    assert!(app.store().change_quota(app.account(), quota(1), &By::trunkline()).await.unwrap());
    for umid in ["m-1", "m-2"] {
        app.webhook(sample::inbound_sms(umid, "acme_sms")).await.expect_status(200);
    }
    assert_eq!(app.instances_of(&definition).await.len(), 1);
    let events: i64 =
        sqlx::query_scalar("select count(*) from events").fetch_one(app.store().pool()).await.unwrap();
    assert_eq!(events, 2);
}

/// As the HTTP trigger does: the last start that is left is enough for all.
#[tokio::test]
async fn one_message_starts_all_of_its_definitions_or_none() {
    let app = TestApp::start().await;
    let definitions = [
        app.define(sample::enabled("inbound_sms", None)).await,
        app.define(sample::enabled("inbound_sms", None)).await,
    ];
    assert!(app.store().change_quota(app.account(), quota(1), &By::trunkline()).await.unwrap());
    for umid in ["m-1", "m-2"] {
        app.webhook(sample::inbound_sms(umid, "acme_sms")).await.expect_status(200);
    }
    for definition in definitions {
        assert_eq!(app.instances_of(&definition).await.len(), 1);
    }
}

#[tokio::test]
async fn a_quota_with_overage_limits_nothing_and_changes_are_noticed() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let start = format!("/definitions/{definition}/workflows");
    let store = app.store();
    let change = |allowed, overage| QuotaChange { allowed, overage, overage_price: None };
    assert!(store.change_quota(app.account(), change(Some(Some(0)), None), &By::trunkline()).await.unwrap());
    app.post(&start, json!({})).await.expect_empty(201);
    assert_eq!(store.allowance(app.account()).await.unwrap(), Allowance::Unlimited);

    assert!(store.change_quota(app.account(), change(None, Some(false)), &By::trunkline()).await.unwrap());
    let usage = store.usage(app.account()).await.unwrap().unwrap();
    assert_eq!((usage.quota.allowed, usage.quota.overage), (Some(0), false));
    until("the server notices", || async { app.post(&start, json!({})).await.status == 403 }).await;
    assert!(store.change_quota(app.account(), change(Some(None), None), &By::trunkline()).await.unwrap());
    app.post(&start, json!({})).await.expect_empty(201);
    assert!(!store.change_quota(&AccountId::new("nobody"), quota(1), &By::trunkline()).await.unwrap());
}

#[tokio::test]
async fn requests_beyond_the_rate_limit_are_told_when_to_come_again() {
    let config = ApiConfig { rate_limit: NonZeroU32::new(2), ..ApiConfig::default() };
    let app = TestApp::start_with(config).await;
    let (_, theirs) = app.other_account("other").await;
    let many = |count: usize, key: &str| {
        let requests = (0..count).map(|_| {
            let request = app.request(Method::GET, "/api/v1/accounts/acme/steps/functions");
            Answer::of(request.bearer_auth(key))
        });
        join_all(requests.collect::<Vec<_>>())
    };
    // Whoever has no key of the account takes nothing of it.
    assert!(many(5, &theirs).await.iter().all(|answer| answer.status == 403));
    let answers = many(30, app.key()).await;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!((1..=28).contains(&refused.len()), "{} of 30 refused", refused.len());
    for answer in refused {
        assert_eq!(answer.expect_error(429, 429), "Quota exceeded. Please try again in 1 second(s).");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let other = app.request(Method::GET, "/api/v1/accounts/other/usage").bearer_auth(&theirs);
    Answer::of(other).await.expect(200);
    // Those without a key have no limit: webhooks, health.
    for _ in 0..5 {
        Answer::of(app.request(Method::GET, "/healthz")).await.expect(200);
    }
    until("they may come again", || async { app.get("/usage").await.status == 200 }).await;
}
