//! Instances: start, list, show, control, errors (spec 2.7–2.11, 5, 10.4, 10.5). Nothing runs them here.

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, instance_id, is_timestamp, sample};

#[tokio::test]
async fn c_087_c_088_c_089_c_090_c_091_c_011_a_start_puts_the_body_into_the_context() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let body = json!({"price": "10", "nested": {"a": [1, null]}, "accountId": "other", "triggeredAt": 5,
        "payload": {"subAccountId": "acme_sms"}});
    let answer = app.post(&format!("/definitions/{id}/workflows"), body.clone()).await;
    answer.expect_empty(201);
    let location = answer.header("location").unwrap();
    let (path, instance) = location.rsplit_once('/').unwrap();
    assert_eq!(path, format!("/api/v1/accounts/acme/definitions/{id}/workflows"));
    assert!(instance.len() == 24 && instance.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{instance}");

    let shown = app.get(&format!("/definitions/{id}/workflows/{instance}")).await.expect(200);
    let data = &shown["data"];
    for member in ["price", "nested", "payload"] {
        assert_eq!(data[member], body[member]);
    }
    assert_eq!((&data["accountId"], &data["subAccountId"]), (&"acme".into(), &"acme_sms".into()));
    let triggered_at = data["triggeredAt"].as_str().unwrap();
    assert!(triggered_at.ends_with('Z') && DateTime::parse_from_rfc3339(triggered_at).is_ok());
}

#[tokio::test]
async fn the_subaccount_of_a_start_is_the_bodys_or_the_definitions_or_none() {
    let app = TestApp::start().await;
    let bound = app.define(sample::enabled("inbound_sms", Some("bound"))).await;
    let free = app.define(sample::pong()).await;
    for (definition, body, subaccount) in [
        (&bound, json!({"payload": {"subAccountId": "body"}}), json!("body")),
        (&bound, json!({"payload": {"subAccountId": 7}}), json!("bound")),
        (&bound, json!({}), json!("bound")),
        (&bound, json!({"subAccountId": "plain"}), json!("bound")),
        (&free, json!({"subAccountId": "plain", "payload": {"subAccountId": "body"}}), json!("body")),
        (&free, json!({"subAccountId": "plain"}), Value::Null),
        (&free, json!({}), Value::Null),
    ] {
        let instance = app.start_instance(definition, body).await;
        assert_eq!(app.get(&instance).await.expect(200)["data"]["subAccountId"], subaccount);
    }
}

#[tokio::test]
async fn c_092_a_disabled_definition_is_started_also_without_a_body() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    for body in ["", "  \n", "{}", "null"] {
        let request = app.account_request(reqwest::Method::POST, &format!("/definitions/{id}/workflows"));
        crate::support::Answer::of(request.body(body)).await.expect_empty(201);
    }
    let instances = app.instances_of(&id).await;
    assert_eq!(instances.len(), 4);
    let members: Vec<&String> = instances[0]["data"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["accountId", "triggeredAt"]);
}

#[tokio::test]
async fn c_093_c_094_c_095_the_version_may_be_named_and_the_body_is_an_object() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    app.put(&format!("/definitions/{id}"), sample::pong()).await.expect(200);
    let start = format!("/definitions/{id}/workflows");
    let answer = app.post(&format!("{start}?version=1"), json!({})).await;
    answer.expect_empty(201);
    let path = answer.header("location").unwrap().strip_prefix("/api/v1/accounts/acme").unwrap();
    assert_eq!(app.get(path).await.expect(200)["version"], 1);
    for version in ["99", "99999999999"] {
        let answer = app.post(&format!("{start}?version={version}"), json!({})).await;
        assert_eq!(answer.expect_error(404, 1300), format!("Definition {id} not found."));
    }
    for body in [json!([]), json!("x"), json!(1)] {
        assert_eq!(
            app.post(&start, body).await.expect_error(400, 1000),
            "Invalid request body. It must be an object."
        );
    }
    app.post("/definitions/x/workflows", json!({})).await.expect_error(400, 1000);
    app.post(&format!("/definitions/{}/workflows", Uuid::new_v4()), json!({})).await.expect_error(404, 1300);
}

fn ids(list: &[Value]) -> Vec<&str> {
    list.iter().map(|instance| instance["workflowId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn c_096_c_097_c_098_c_104_a_list_has_one_versions_instances_the_newest_first() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let mut old = Vec::new();
    for _ in 0..3 {
        old.push(instance_id(&app.start_instance(&id, json!({})).await).to_string());
    }
    app.put(&format!("/definitions/{id}"), sample::pong()).await.expect(200);
    let new = instance_id(&app.start_instance(&id, json!({})).await).to_string();
    old.reverse();

    assert_eq!(ids(&app.instances_of(&id).await), [new.as_str()]);
    let list = app.get(&format!("/definitions/{id}/workflows?version=1")).await.expect(200);
    assert_eq!(ids(list.as_array().unwrap()), old);
    assert!(list.as_array().unwrap().iter().all(|instance| instance.get("logs").is_none()));
    let page = app.get(&format!("/definitions/{id}/workflows?version=1&limit=1&offset=1")).await.expect(200);
    assert_eq!(ids(page.as_array().unwrap()), old[1..2]);
    let with_logs = app.get(&format!("/definitions/{id}/workflows?includeLogs=true")).await.expect(200);
    assert!(with_logs[0].get("logs").is_none());
    let none = app.get(&format!("/definitions/{id}/workflows?version=3")).await.expect(200);
    assert_eq!(none, json!([]));
}

/// Ids count in each process by themselves: within a second only the time says who was first.
#[tokio::test]
async fn c_096_the_time_of_the_start_decides_and_the_id_between_equals() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(app.start_instance(&id, json!({})).await);
    }
    for (path, second) in made.iter().zip([3, 1, 2, 1]) {
        sqlx::query("update instances set started_at = '2026-02-03'::timestamptz + make_interval(secs => $2) where id = $1")
            .bind(instance_id(path).as_bytes().as_slice())
            .bind(f64::from(second))
            .execute(app.store().pool())
            .await
            .unwrap();
    }
    let expected: Vec<String> = [0, 2, 3, 1].map(|index| instance_id(&made[index]).to_string()).to_vec();
    assert_eq!(ids(&app.instances_of(&id).await), expected);
    let page = app.get(&format!("/definitions/{id}/workflows?limit=2&offset=1")).await.expect(200);
    assert_eq!(ids(page.as_array().unwrap()), expected[1..3]);
}

/// Of the whole page a MiB is in memory at a time.
#[tokio::test]
async fn a_list_of_large_contexts_is_as_whole_as_one_of_small_ones() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let list = format!("/definitions/{id}/workflows");
    for bytes in [10, 600_000, 500_000, (1 << 20) - 8, 0] {
        let path = app.start_instance(&id, json!({"x": "y".repeat(bytes)})).await;
        let newest = app.get(&list).await.expect(200);
        let newest = &newest.as_array().unwrap()[0];
        assert_eq!(newest["workflowId"], instance_id(&path).to_string());
        assert_eq!(newest["data"]["x"].as_str().unwrap().len(), bytes);
    }
    let all = app.get(&list).await.expect(200);
    let sizes = |list: &Value| -> Vec<usize> {
        list.as_array().unwrap().iter().map(|one| one["data"]["x"].as_str().unwrap().len()).collect()
    };
    assert_eq!(sizes(&all), [0, (1 << 20) - 8, 500_000, 600_000, 10]);
    let part = app.get(&format!("{list}?limit=2&offset=2")).await.expect(200);
    assert_eq!(sizes(&part), [500_000, 600_000]);
}

#[tokio::test]
async fn c_099_a_list_is_filtered_by_status() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let complete = app.start_instance(&id, json!({})).await;
    app.complete(&complete).await;
    let suspended = app.start_instance(&id, json!({})).await;
    app.patch(&suspended, json!({"status": "suspend"})).await.expect_empty(200);
    let runnable = app.start_instance(&id, json!({})).await;
    for (status, path) in [
        ("Complete", Some(&complete)),
        ("complete", Some(&complete)),
        ("Suspended", Some(&suspended)),
        ("RUNNABLE", Some(&runnable)),
        ("Terminated", None),
    ] {
        let list = app.get(&format!("/definitions/{id}/workflows?status={status}")).await.expect(200);
        let expected: Vec<String> = path.into_iter().map(|path| instance_id(path).to_string()).collect();
        assert_eq!(ids(list.as_array().unwrap()), expected, "{status}");
    }
    let answer = app.get(&format!("/definitions/{id}/workflows?status=Done")).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid status.");
}

#[tokio::test]
async fn c_100_time_bounds_are_inclusive() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let instance = app.start_instance(&id, json!({})).await;
    // An instant that has more digits than are shown.
    sqlx::query("update instances set started_at = '2026-02-03T04:05:06.789012Z' where id = $1")
        .bind(instance_id(&instance).as_bytes().as_slice())
        .execute(app.store().pool())
        .await
        .unwrap();
    let shown = app.get(&instance).await.expect(200)["startedAt"].as_str().unwrap().to_owned();
    assert_eq!(shown, "2026-02-03T04:05:06.78Z");
    for (query, found) in [
        (format!("startTimeFrom={shown}"), true),
        (format!("startTimeTo={shown}"), true),
        (format!("startTimeFrom={shown}&startTimeTo={shown}"), true),
        ("startTimeFrom=2026-02-03T12:05:06.78%2B08:00".into(), true),
        ("startTimeFrom=2026-02-03T04:05:06.79Z".into(), false),
        ("startTimeTo=2026-02-03T04:05:06.77Z".into(), false),
        ("startTimeTo=9999-12-31T23:59:59Z".into(), true),
    ] {
        let list = app.get(&format!("/definitions/{id}/workflows?{query}")).await.expect(200);
        assert_eq!(list.as_array().unwrap().len(), usize::from(found), "{query}");
    }
}

#[tokio::test]
async fn c_101_c_102_c_103_lists_of_nothing_and_of_nobody() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    assert_eq!(app.get(&format!("/definitions/{id}/workflows")).await.expect(200), json!([]));
    let answer = app.get(&format!("/definitions/{id}/workflows?startTimeFrom=yesterday")).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid startTimeFrom.");
    let nobody = Uuid::new_v4();
    let answer = app.get(&format!("/definitions/{nobody}/workflows")).await;
    assert_eq!(answer.expect_error(404, 1300), format!("Definition {nobody} not found."));
    app.get("/definitions/x/workflows").await.expect_error(400, 1000);
}

#[tokio::test]
async fn c_105_c_106_c_107_an_instance_is_shown_whole() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    let shown = app.get(&path).await.expect(200);
    let members: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["workflowId", "data", "definitionId", "version", "status", "startedAt", "completedAt"]
    );
    assert_eq!(shown["workflowId"], instance_id(&path).to_string());
    assert_eq!((&shown["definitionId"], &shown["version"]), (&id.into(), &1.into()));
    assert_eq!((&shown["status"], &shown["completedAt"]), (&"Runnable".into(), &Value::Null));
    assert!(is_timestamp(&shown["startedAt"]));
    for (query, has_logs) in [
        ("", false),
        ("?includeLogs=false", false),
        ("?includeLogs=0", false),
        ("?includeLogs=true", true),
        ("?includeLogs=TRUE", true),
        ("?includeLogs=1", true),
    ] {
        let shown = app.get(&format!("{path}{query}")).await.expect(200);
        assert_eq!(shown.get("logs").is_some(), has_logs, "{query}");
    }
    let answer = app.get(&format!("{path}?includeLogs=yes")).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid includeLogs.");
    app.complete(&path).await;
    assert!(is_timestamp(&app.get(&path).await.expect(200)["completedAt"]));
}

/// Rows as a worker would leave them, so that every state of a path is there at once.
#[tokio::test]
async fn c_108_c_109_the_log_has_finished_running_parked_and_pending_steps_in_order() {
    let app = TestApp::start().await;
    let steps =
        json!([sample::sms("a"), sample::sms("b"), sample::sms("c"), sample::sms("d"), sample::sms("e")]);
    let id = app.define(sample::definition(steps)).await;
    let path = app.start_instance(&id, json!({})).await;
    let pending = app.get(&format!("{path}?includeLogs=true")).await.expect(200)["logs"].clone();
    assert_eq!(pending.as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &pending[0]["stepName"],
            &pending[0]["status"],
            &pending[0]["startedAt"],
            &pending[0]["completedAt"]
        ),
        (&"a".into(), &"Pending".into(), &Value::Null, &Value::Null)
    );

    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "delete from jobs;
         insert into steps (instance_id, n, name, status, attempt, started_at, completed_at) values
             ('\\x{0}', 1, 'a', 'Complete', 1, '2026-02-03T04:05:01Z', '2026-02-03T04:05:02Z'),
             ('\\x{0}', 3, 'a', 'Cancelled', 1, '2026-02-03T04:05:03Z', '2026-02-03T04:05:09Z');
         insert into jobs (instance_id, path, account_id, n, step, issued, alone, worker, started_at) values
             ('\\x{0}', 1, 'acme', 2, 1, 7, false, 5, '2026-02-03T04:05:02Z'),
             ('\\x{0}', 2, 'acme', 4, 2, 7, false, null, null);
         insert into waits (instance_id, path, account_id, n, step, issued, attempt, kind, due_at, key, started_at)
         values
             ('\\x{0}', 3, 'acme', 5, 3, 7, 1, 'timer', now(), null, '2026-02-03T04:05:05Z'),
             ('\\x{0}', 4, 'acme', 6, 4, 7, 1, 'reply', now(), 'k', '2026-02-03T04:05:04Z'),
             ('\\x{0}', 5, 'acme', 7, 0, 7, 1, 'retry', now(), null, '2026-02-03T04:05:06Z');",
        instance_id(&path)
    )))
    .execute(app.store().pool())
    .await
    .unwrap();
    let logs = app.get(&format!("{path}?includeLogs=true")).await.expect(200)["logs"].clone();
    let logs = logs.as_array().unwrap();
    let seen: Vec<_> = logs
        .iter()
        .map(|entry| (entry["stepName"].as_str().unwrap(), entry["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("a", "Complete"),
            ("b", "Running"),
            ("a", "Cancelled"),
            ("e", "WaitingForEvent"),
            ("d", "Sleeping"),
            ("a", "Running"),
            ("c", "Pending"),
        ]
    );
    for entry in logs {
        let members: Vec<&String> = entry.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "stepName", "startedAt", "completedAt", "status"]);
        assert!(Uuid::try_parse(entry["id"].as_str().unwrap()).is_ok());
    }
    assert_eq!(logs[0]["startedAt"], "2026-02-03T04:05:01.00Z");
    assert_eq!(
        (&logs[0]["completedAt"], &logs[1]["completedAt"]),
        (&"2026-02-03T04:05:02.00Z".into(), &Value::Null)
    );
    let again = app.get(&format!("{path}?includeLogs=true")).await.expect(200);
    assert_eq!(again["logs"].as_array().unwrap(), logs, "ids stay");
}

/// A reply, a due time and the end of the bodies came in while the instance was suspended.
#[tokio::test]
async fn c_109_in_a_suspended_instance_an_ended_wait_still_shows_as_a_wait() {
    let app = TestApp::start().await;
    let steps = json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "00:01:00"}},
        {"id": "ask", "stepType": "WaitForReply", "inputs": {"from": "1", "channel": "sms"}},
        {"id": "if", "stepType": "If", "inputs": {"condition": "{{true}}"}, "do": [[sample::sms("a")]]},
    ]);
    let id = app.define(sample::definition(steps)).await;
    let path = app.start_instance(&id, json!({})).await;
    app.patch(&path, json!({"status": "suspend"})).await.expect_empty(200);
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "delete from jobs;
         insert into jobs (instance_id, path, account_id, n, step, issued, alone, held, resume, started_at) values
             ('\\x{0}', 1, 'acme', 1, 0, 3, false, true, '\"due\"', '2026-02-03T04:05:01Z'),
             ('\\x{0}', 2, 'acme', 2, 1, 3, false, true, '{{\"event\":1}}', '2026-02-03T04:05:02Z'),
             ('\\x{0}', 3, 'acme', 3, 2, 3, false, true, '\"bodies_ended\"', '2026-02-03T04:05:03Z');",
        instance_id(&path)
    )))
    .execute(app.store().pool())
    .await
    .unwrap();
    let statuses = async || {
        let logs = app.get(&format!("{path}?includeLogs=true")).await.expect(200)["logs"].clone();
        let status = |entry: &Value| entry["status"].as_str().unwrap().to_owned();
        logs.as_array().unwrap().iter().map(status).collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, ["Sleeping", "WaitingForEvent", "Running"]);
    app.patch(&path, json!({"status": "resume"})).await.expect_empty(200);
    assert_eq!(statuses().await, ["Running"; 3]);
}

#[tokio::test]
async fn c_110_c_111_an_instance_is_found_under_its_own_definition_by_its_id() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let other = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    let instance = instance_id(&path);
    let nobody = Uuid::new_v4();
    let upper = format!("/definitions/{id}/workflows/{}", instance.to_string().to_uppercase());
    app.get(&upper).await.expect(200);
    for (path, message) in [
        (format!("/definitions/{other}/workflows/{instance}"), format!("Workflow {instance} not found.")),
        (format!("/definitions/{nobody}/workflows/{instance}"), format!("Definition {nobody} not found.")),
        (
            format!("/definitions/{id}/workflows/000000000000000000000000"),
            "Workflow 000000000000000000000000 not found.".to_owned(),
        ),
    ] {
        for answer in [
            app.get(&path).await,
            app.get(&format!("{path}/errors")).await,
            app.patch(&path, json!({"status": "suspend"})).await,
        ] {
            assert_eq!(answer.expect_error(404, 1300), message);
        }
    }
    for malformed in ["x", "66b1f0c2a94d5e0f1c2b3a4", "66b1f0c2a94d5e0f1c2b3a4dd", "66b1f0c2a94d5e0f1c2b3a4g"]
    {
        let path = format!("/definitions/{id}/workflows/{malformed}");
        for answer in [
            app.get(&path).await,
            app.get(&format!("{path}/errors")).await,
            app.patch(&path, json!({"status": "suspend"})).await,
        ] {
            assert_eq!(answer.expect_error(400, 1000), "Invalid workflow id.");
        }
    }
    let answer = app.get(&format!("/definitions/x/workflows/{instance}")).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid definition id.");
}

#[tokio::test]
async fn c_112_c_113_errors_are_listed_as_they_happened() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    assert_eq!(app.get(&format!("{path}/errors")).await.expect(200), json!([]));
    let instance = instance_id(&path);
    sqlx::query(
        "insert into steps (instance_id, n, name, status, attempt, started_at, completed_at, error)
         values ($1, 1, 'pong', 'Failed', 1, now(), '2026-02-03T04:05:06.789Z', 'Invalid subaccount id.'),
                ($1, 2, 'ask', 'Failed', 1, now(), '2026-02-03T04:05:05Z', 'First.'),
                ($1, 3, 'ask', 'Complete', 1, now(), '2026-02-03T04:05:05Z', null)",
    )
    .bind(instance.as_bytes().as_slice())
    .execute(app.store().pool())
    .await
    .unwrap();
    assert_eq!(
        app.get(&format!("{path}/errors")).await.expect(200),
        json!([
            {"workflowId": instance.to_string(), "step": "ask", "message": "First.",
                "errorTime": "2026-02-03T04:05:05.00Z"},
            {"workflowId": instance.to_string(), "step": "pong", "message": "Invalid subaccount id.",
                "errorTime": "2026-02-03T04:05:06.78Z"},
        ])
    );
}

#[tokio::test]
async fn c_117_c_118_c_119_c_120_c_121_c_122_commands_lead_through_the_states() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let command = async |path: &str, command: &str| app.patch(path, json!({"status": command})).await;
    let status = async |path: &str| app.get(path).await.expect(200)["status"].as_str().unwrap().to_owned();
    let refused = async |path: &str, word: &str, participle: &str, status: &str| {
        let message = command(path, word).await.expect_error(400, 1000);
        let id = instance_id(path);
        assert_eq!(message, format!("Workflow {id} cannot be {participle} because it is {status}."));
    };

    let path = app.start_instance(&id, json!({})).await;
    refused(&path, "resume", "resumed", "Runnable").await;
    command(&path, "suspend").await.expect_empty(200);
    assert_eq!(status(&path).await, "Suspended");
    refused(&path, "suspend", "suspended", "Suspended").await;
    command(&path, "Resume").await.expect_empty(200);
    assert_eq!(status(&path).await, "Runnable");
    command(&path, "terminate").await.expect_empty(200);
    assert_eq!(status(&path).await, "Terminated");
    for (word, participle) in [("suspend", "suspended"), ("resume", "resumed"), ("terminate", "terminated")] {
        refused(&path, word, participle, "Terminated").await;
    }
    assert!(is_timestamp(&app.get(&path).await.expect(200)["completedAt"]));
    assert_eq!(app.get(&format!("{path}/errors")).await.expect(200), json!([]));

    let suspended = app.start_instance(&id, json!({})).await;
    command(&suspended, "suspend").await.expect_empty(200);
    command(&suspended, "terminate").await.expect_empty(200);
    assert_eq!(status(&suspended).await, "Terminated");

    let complete = app.start_instance(&id, json!({})).await;
    app.complete(&complete).await;
    for (word, participle) in [("suspend", "suspended"), ("resume", "resumed"), ("terminate", "terminated")] {
        refused(&complete, word, participle, "Complete").await;
    }
}

#[tokio::test]
async fn c_123_an_unknown_command_is_refused() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    for body in
        [json!({}), json!({"status": null}), json!({"status": "Suspended"}), json!({"status": ["suspend"]})]
    {
        assert_eq!(app.patch(&path, body).await.expect_error(400, 1000), "Invalid status.");
    }
    for body in [json!([]), json!("suspend")] {
        assert_eq!(
            app.patch(&path, body).await.expect_error(400, 1000),
            "Invalid request body. It must be an object."
        );
    }
    app.patch(&path, json!({"STATUS": "Suspend"})).await.expect_empty(200);
}

#[tokio::test]
async fn c_127_after_a_termination_open_log_entries_are_cancelled() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    app.patch(&path, json!({"status": "terminate"})).await.expect_empty(200);
    let shown = app.get(&format!("{path}?includeLogs=true")).await.expect(200);
    let logs = shown["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 1);
    assert_eq!((&logs[0]["stepName"], &logs[0]["status"]), (&"pong".into(), &"Cancelled".into()));
    assert_eq!(logs[0]["completedAt"], shown["completedAt"]);
}
