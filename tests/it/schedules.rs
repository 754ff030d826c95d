//! The trigger `schedule`, an extension: saved, followed, and started once per due time.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::schedules::Scheduled;

use crate::deaths::processes::WorkerProcess;
use crate::support::{Engine, TestApp, enabled, until};

fn scheduled(cron: &str, missed: &str) -> Value {
    let mut definition = enabled("schedule", Some("acme_sms"));
    definition["schedule"] = json!({"cron": cron, "timeZone": "Singapore Standard Time", "missed": missed});
    definition
}

/// When each version starts instances next, by version.
async fn promises(app: &TestApp) -> Vec<(i32, DateTime<Utc>)> {
    sqlx::query_as("select version, next_at from schedules where next_at is not null order by version")
        .fetch_all(app.store().pool())
        .await
        .unwrap()
}

/// As if nobody had been there for a while: the next time is one of the past.
async fn set_back(app: &TestApp, next_at: DateTime<Utc>) {
    let done = sqlx::query("update schedules set next_at = $1 where next_at is not null")
        .bind(next_at)
        .execute(app.store().pool())
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

async fn now(app: &TestApp) -> DateTime<Utc> {
    sqlx::query_scalar("select now()").fetch_one(app.store().pool()).await.unwrap()
}

/// The times that instances were started for, in order.
async fn starts(app: &TestApp, definition: &str) -> Vec<DateTime<Utc>> {
    let texts: Vec<String> = sqlx::query_scalar(
        "select data::json ->> 'scheduledAt' from instances where definition_id = $1 order by 1",
    )
    .bind(uuid::Uuid::parse_str(definition).unwrap())
    .fetch_all(app.store().pool())
    .await
    .unwrap();
    texts.into_iter().map(|text| text.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_schedule_is_checked_and_shown_as_submitted() {
    let app = TestApp::start().await;
    let with = |schedule: Value| {
        let mut body = enabled("schedule", None);
        body["schedule"] = schedule;
        body
    };
    for (schedule, message) in [
        (json!(null), "Schedule is required."),
        (json!("daily"), "Schedule must be an object."),
        (json!({}), "Schedule cron is required."),
        (
            json!({"cron": "0 0 0 1 1 * 2026"}),
            "Schedule cron '0 0 0 1 1 * 2026' is not valid: it has not five fields, or six with seconds first, but 7.",
        ),
        (json!({"cron": "0 0 30 2 *"}), "Schedule cron '0 0 30 2 *' is not valid: there is no such day."),
        (json!({"cron": "@daily", "timeZone": "Mars"}), "Schedule timeZone 'Mars' is not known."),
        (json!({"cron": "@daily", "missed": "twice"}), "Schedule missed 'twice' is not supported."),
    ] {
        assert_eq!(app.post("/definitions", with(schedule)).await.expect_error(400, 5001), message);
    }
    let schedule = json!({"cron": "0 9 * * MON-FRI", "TimeZone": "Europe/Berlin", "note": "mornings"});
    let saved = app.post("/definitions", with(schedule.clone())).await.expect(201);
    assert_eq!((&saved["trigger"], &saved["schedule"]), (&"schedule".into(), &schedule));
    assert_eq!(app.get("/definitions").await.expect(200)[0]["schedule"], schedule);
    let other = app.post("/definitions", enabled("http_request", None)).await.expect(201);
    assert!(other.get("schedule").is_none());
}

#[tokio::test]
async fn the_newest_enabled_version_is_the_one_that_is_started() {
    let app = TestApp::start().await;
    let id = app.define(scheduled("0 9 * * *", "once")).await;
    let path = format!("/definitions/{id}");
    let first = promises(&app).await;
    let [(1, next)] = first[..] else { panic!("{first:?}") };
    // Nine in Singapore.
    assert_eq!(next.format("%H:%M:%S").to_string(), "01:00:00");
    assert!(next > now(&app).await && next < now(&app).await + TimeDelta::days(1));

    // The same times: what was missed is not forgotten.
    let missed = next - TimeDelta::days(3);
    set_back(&app, missed).await;
    let mut renamed = scheduled("0 9 * * *", "all");
    renamed["definition"]["name"] = "Renamed".into();
    app.put(&path, renamed).await.expect(200);
    assert_eq!(promises(&app).await, [(2, missed)]);

    app.put(&path, scheduled("30 9 * * *", "once")).await.expect(200);
    let third = promises(&app).await;
    assert_eq!((third.len(), third[0].0), (1, 3));
    assert!(third[0].1 > now(&app).await);

    let mut disabled = scheduled("30 9 * * *", "once");
    disabled["status"] = "disabled".into();
    app.put(&path, disabled).await.expect(200);
    assert!(promises(&app).await.is_empty());

    app.put(&path, enabled("http_request", None)).await.expect(200);
    assert!(promises(&app).await.is_empty());

    // Version 4 is disabled; then 3 is the newest again.
    app.delete(&format!("{path}?version=5")).await.expect_empty(202);
    assert!(promises(&app).await.is_empty());
    app.delete(&format!("{path}?version=4")).await.expect_empty(202);
    assert_eq!(promises(&app).await, third);
    app.delete(&format!("{path}?version=1")).await.expect_empty(202);
    assert_eq!(promises(&app).await, third);
    app.delete(&path).await.expect_empty(202);
    assert!(promises(&app).await.is_empty());
}

#[tokio::test]
async fn an_instance_knows_what_it_was_started_for() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let id = app.define(scheduled("* * * * *", "once")).await;
    let minute = now(app).await.timestamp() / 60 * 60;
    let minute = DateTime::from_timestamp(minute, 0).unwrap();
    set_back(app, minute).await;
    until("it is started", || async { !starts(app, &id).await.is_empty() }).await;
    engine.run_until_idle().await;
    let run = engine.newest(&id).await.unwrap();
    let data = run.data().await;
    let at: DateTime<Utc> = data["scheduledAt"].as_str().unwrap().parse().unwrap();
    assert!(at >= minute && data["scheduledAt"].as_str().unwrap().ends_with(":00Z"), "{data}");
    assert_eq!(data["schedule"], json!({"cron": "* * * * *", "timeZone": "Singapore Standard Time"}));
    assert_eq!((&data["accountId"], &data["subAccountId"]), (&"acme".into(), &"acme_sms".into()));
    assert!(data["triggeredAt"].is_string());
    assert_eq!(run.status().await, "Complete");
    engine.finish().await;
}

#[tokio::test]
async fn what_was_missed_follows_the_policy() {
    let app = TestApp::start().await;
    let store = app.store();
    for (missed, expected) in [("skip", 0), ("once", 1), ("all", 3)] {
        // The last due time was two hours ago.
        let hour = (now(&app).await + TimeDelta::hours(8 - 2)).format("%H").to_string();
        let id = app.define(scheduled(&format!("0 0 {hour} * * *"), missed)).await;
        let next = promises(&app).await[0].1;
        set_back(&app, next - TimeDelta::days(3)).await;
        assert_eq!(store.start_scheduled().await.unwrap(), Scheduled::Some { started: expected }, "{missed}");
        let times = starts(&app, &id).await;
        let all = [3, 2, 1].map(|days| next - TimeDelta::days(days));
        assert_eq!(times, all[3 - expected..], "{missed}");
        assert_eq!(promises(&app).await[0].1, next, "{missed}");
        assert!(matches!(
            store.start_scheduled().await.unwrap(),
            Scheduled::Nothing { next_due_in: Some(_) }
        ));
        app.delete(&format!("/definitions/{id}")).await.expect_empty(202);
    }
    assert_eq!(store.start_scheduled().await.unwrap(), Scheduled::Nothing { next_due_in: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_look_at_once_a_due_time_is_started_once() {
    let app = TestApp::start().await;
    let id = app.define(scheduled("* * * * *", "all")).await;
    let next = promises(&app).await[0].1;
    set_back(&app, next - TimeDelta::minutes(250)).await;
    for _ in 0..4 {
        let looks = join_all((0..8).map(|_| app.store().start_scheduled())).await;
        assert!(looks.into_iter().all(|look| look.is_ok()));
    }
    let times = starts(&app, &id).await;
    let from = next - TimeDelta::minutes(250);
    let expected: Vec<_> = (0..250).map(|n| from + TimeDelta::minutes(n)).collect();
    assert_eq!(times[..250], expected);
    assert!(promises(&app).await[0].1 >= next);
}

/// Time zones come and go with releases.
#[tokio::test]
async fn a_schedule_that_cannot_be_read_any_more_starts_nothing_and_can_be_replaced() {
    let app = TestApp::start().await;
    let id = app.define(scheduled("* * * * *", "all")).await;
    sqlx::query("update schedules set time_zone = 'Atlantis', next_at = now() - interval '1 hour'")
        .execute(app.store().pool())
        .await
        .unwrap();
    assert_eq!(app.store().start_scheduled().await.unwrap(), Scheduled::Some { started: 0 });
    assert_eq!(app.store().start_scheduled().await.unwrap(), Scheduled::Nothing { next_due_in: None });
    let path = format!("/definitions/{id}");
    app.put(&path, scheduled("* * * * *", "all")).await.expect(200);
    assert_eq!(promises(&app).await.len(), 1);
    app.delete(&format!("{path}?version=2")).await.expect_empty(202);
    assert!(promises(&app).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_start_nothing_more_is_not_started_by_the_clock() {
    let app = TestApp::start().await;
    let id = app.define(scheduled("* * * * *", "all")).await;
    let change = trunkline_store::usage::QuotaChange {
        allowed: Some(Some(0)),
        overage: Some(false),
        ..Default::default()
    };
    assert!(app.store().change_quota(app.account(), change, &By::trunkline()).await.unwrap());
    let next = promises(&app).await[0].1;
    set_back(&app, next - TimeDelta::minutes(5)).await;
    assert_eq!(app.store().start_scheduled().await.unwrap(), Scheduled::Some { started: 0 });
    assert!(starts(&app, &id).await.is_empty());
    assert!(promises(&app).await[0].1 >= next);
}

/// Three worker processes, one of which dies; every second has its instance, and each only one.
#[tokio::test(flavor = "multi_thread")]
async fn every_second_is_started_once_by_several_workers_also_when_one_dies() {
    let app = TestApp::start().await;
    let mut workers: Vec<_> = (0..3).map(|_| WorkerProcess::start(app.database_url())).collect();
    let id = app.define(scheduled("* * * * * *", "all")).await;
    until("two are started", || async { starts(&app, &id).await.len() >= 2 }).await;
    let elected: String = sqlx::query_scalar(
        "select w.name from upkeep u join workers w on w.id = u.worker where u.task = 'start_scheduled'",
    )
    .fetch_one(app.store().pool())
    .await
    .unwrap();
    workers.iter_mut().find(|worker| worker.name == elected).unwrap().kill();
    let died = now(&app).await;
    let caught_up = || async {
        let times = starts(&app, &id).await;
        times.last().is_some_and(|last| *last > died + TimeDelta::seconds(1))
    };
    until("another takes over", caught_up).await;
    let times = starts(&app, &id).await;
    for pair in times.windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::seconds(1), "{times:?}");
    }
}

/// U-70. A machine that is busy with something else may spoil one of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_due_time_is_started_within_a_second() {
    let engine = Engine::start().await;
    let id = engine.app.define(scheduled("* * * * * *", "all")).await;
    until("three are started", || async { starts(&engine.app, &id).await.len() >= 3 }).await;
    let late: f64 = sqlx::query_scalar(
        "select min(extract(epoch from started_at - (data::json ->> 'scheduledAt')::timestamptz))::float8
         from instances
         where definition_id = $1",
    )
    .bind(uuid::Uuid::parse_str(&id).unwrap())
    .fetch_one(engine.app.store().pool())
    .await
    .unwrap();
    assert!((0.0..1.0).contains(&late), "{late}");
    engine.app.delete(&format!("/definitions/{id}")).await.expect_empty(202);
    engine.finish().await;
}
