//! Instances of all definitions, found by what they are and what is in them.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};
use trunkline_store::Store;
use trunkline_store::search::{Fingerprint, InstanceSearch};

use crate::support::{Answer, Engine, TestApp, instance_id, sample};

const NO_LAG: Duration = Duration::ZERO;

async fn search(app: &TestApp, query: &[(&str, &str)]) -> Value {
    app.get(&path(query)).await.expect(200)
}

fn path(query: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    format!("/instances?{}", pairs.join("&"))
}

/// The ids on the first page.
async fn ids(app: &TestApp, query: &[(&str, &str)]) -> Vec<String> {
    let page = search(app, query).await;
    page["items"].as_array().unwrap().iter().map(|item| id_of(&item["instanceId"])).collect()
}

fn id_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn id(path: &str) -> String {
    instance_id(path).to_string()
}

/// Upkeep has come by everything.
async fn follow(store: &Store) {
    while store.follow_instances(NO_LAG).await.unwrap() {}
    store.follow_unfinished().await.unwrap();
}

/// A `Wait` of an hour, and a reply that nobody writes.
fn waiting(id: &str) -> Value {
    json!([{"id": id, "stepType": "Wait", "inputs": {"duration": "01:00:00"}}])
}

#[expect(clippy::too_many_lines, clippy::type_complexity, reason = "a table of questions and what they find")]
#[tokio::test]
async fn each_condition_finds_what_it_says_alone_and_with_others() {
    let engine = Engine::start().await;
    let app = &engine.app;
    let ask = |name: &str, path: &str| {
        let url = format!("gopher://crm.example{path}");
        json!([{"id": name, "stepType": "HttpRequest", "inputs": {"url": url, "method": "GET"}}])
    };
    let mut of_shop = sample::definition(ask("ask", "/down/1"));
    of_shop["subAccountId"] = "shop".into();
    of_shop["definition"]["name"] = "Shop".into();
    let shop = app.define(of_shop.clone()).await;
    let first = json!({"payload": {"source": "+65 9000-1111"}, "order": {"id": 7, "lines": ["a"]}});
    let failed = id(&engine.run_definition(&shop, first).await.path);
    of_shop["definition"]["steps"] = ask("ask again", "/down/2");
    app.put(&format!("/definitions/{shop}"), of_shop).await.expect(200);
    let failed_again = id(&engine.run_definition(&shop, json!({"vip": true})).await.path);
    let branch = json!([{"id": "done", "stepType": "Branch", "selectNextStep": {"nowhere": null}}]);
    let complete = id(&engine.run(branch, json!({"order": {"id": 7}, "vip": "true"})).await.path);
    let parked = engine.run(waiting("pause"), json!({"to": 6_590_001_111_i64})).await;
    let suspended = engine.run(waiting("pause"), json!({"vip": false})).await;
    suspended.command("suspend").await;
    let stopped = engine.run(waiting("stop"), json!({"city": "Zürich"})).await;
    stopped.command("terminate").await;
    let (parked, suspended, stopped) = (id(&parked.path), id(&suspended.path), id(&stopped.path));

    let all = search(app, &[]).await;
    let shown = all["items"].as_array().unwrap().iter().find(|item| item["instanceId"] == failed).unwrap();
    let members =
        ["instanceId", "definitionId", "name", "version", "status", "startedAt", "completedAt", "failure"];
    assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), members);
    assert_eq!(
        (&shown["definitionId"], &shown["name"], &shown["version"]),
        (&json!(shop), &json!("Shop"), &json!(1))
    );
    let failure = &shown["failure"];
    assert_eq!(failure["step"], "ask");
    assert!(failure["message"].as_str().unwrap().contains("/down/1"), "{failure}");
    let fingerprint = id_of(&failure["fingerprint"]);
    let started_at = id_of(&shown["startedAt"]);
    let all = [&stopped, &suspended, &parked, &complete, &failed_again, &failed];

    let tomorrow = "2999-01-01T00:00:00Z";
    let questions: &[(&[(&str, &str)], &[&String])] = &[
        (&[], &all),
        (&[("id", &parked)], &[&parked]),
        (&[("id", &parked), ("status", "Complete")], &[]),
        (&[("status", "runnable")], &[&parked]),
        (&[("status", "Suspended")], &[&suspended]),
        (&[("status", "Complete")], &[&complete]),
        (&[("status", "Terminated")], &[&stopped, &failed_again, &failed]),
        (&[("status", "Terminated"), ("context.city", "Zürich")], &[&stopped]),
        (&[("definitionId", &shop)], &[&failed_again, &failed]),
        (&[("definitionId", &shop), ("version", "1")], &[&failed]),
        (&[("version", "2")], &[&failed_again]),
        (&[("version", "9")], &[]),
        (&[("subAccountId", "shop")], &[&failed_again, &failed]),
        (&[("subAccountId", "shop"), ("status", "Complete")], &[]),
        (&[("subAccountId", "none")], &[]),
        (&[("step", "ask")], &[&failed]),
        (&[("step", "pause")], &[&suspended, &parked]),
        (&[("step", "pause"), ("status", "Suspended")], &[&suspended]),
        (&[("step", "stop")], &[]),
        (&[("step", "ask"), ("fingerprint", &fingerprint)], &[&failed]),
        (&[("error", "call FAILED")], &[&failed_again, &failed]),
        (&[("error", "/down/2")], &[&failed_again]),
        (&[("error", "/down/2"), ("step", "ask")], &[]),
        (&[("error", "no such words")], &[]),
        (&[("fingerprint", &fingerprint)], &[&failed_again, &failed]),
        (&[("fingerprint", &fingerprint), ("error", "/down/1")], &[&failed]),
        (&[("fingerprint", "0000000000000000")], &[]),
        (&[("startedFrom", &started_at)], &all),
        (&[("startedBefore", &started_at)], &[]),
        (&[("startedFrom", tomorrow)], &[]),
        (&[("startedBefore", tomorrow), ("status", "Complete")], &[&complete]),
        (&[("phone", "006590001111")], &[&parked, &failed]),
        (&[("phone", "+65 (9000) 1111"), ("status", "Runnable")], &[&parked]),
        (&[("phone", "6590001111"), ("context.order.id", "7")], &[&failed]),
        (&[("phone", "6590001112")], &[]),
        (&[("context.order.id", "7")], &[&complete, &failed]),
        (&[("context.order.id", "7"), ("context.vip", "true")], &[&complete]),
        (&[("context.order.lines.0", "a")], &[&failed]),
        (&[("context.vip", "true")], &[&complete, &failed_again]),
        (&[("context.vip", "true"), ("definitionId", &shop)], &[&failed_again]),
        (&[("context.vip", "true"), ("error", "failed.")], &[&failed_again]),
        (&[("context.city", "zürich")], &[]),
        (&[("context.order", "7")], &[]),
    ];
    for followed in [false, true] {
        if followed {
            follow(app.store()).await;
        }
        for (query, expected) in questions {
            assert_eq!(&ids(app, query).await.iter().collect::<Vec<_>>(), expected, "{query:?}, {followed}");
            let mut walked = Vec::new();
            let mut cursor = None;
            loop {
                let next = cursor.take().map(|cursor: String| cursor);
                let mut query = [*query, &[("limit", "1")]].concat();
                query.extend(next.as_deref().map(|next| ("cursor", next)));
                let page = search(app, &query).await;
                let items = page["items"].as_array().unwrap();
                assert!(items.len() == 1 || expected.is_empty(), "{query:?}: {page}");
                walked.extend(items.iter().map(|item| id_of(&item["instanceId"])));
                match page["next"].as_str() {
                    Some(next) => cursor = Some(next.to_owned()),
                    None => break,
                }
            }
            assert_eq!(&walked.iter().collect::<Vec<_>>(), expected, "page by page, {query:?}, {followed}");
        }
    }
    engine.finish().await;
}

#[tokio::test]
async fn pages_stay_what_they_are_while_instances_are_started() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.insert(0, id(&app.start_instance(&definition, json!({"n": n, "all": 1})).await));
    }
    follow(app.store()).await;
    for condition in [None, Some(("context.all", "1")), Some(("status", "Runnable")), Some(("step", "pong"))]
    {
        let (mut walked, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query: Vec<(&str, &str)> = vec![("limit", "3")];
            query.extend(condition);
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = search(&app, &query).await;
            walked.extend(page["items"].as_array().unwrap().iter().map(|item| id_of(&item["instanceId"])));
            let newer = app.start_instance(&definition, json!({"all": 1})).await;
            let Some(next) = page["next"].as_str() else {
                assert!(!walked.contains(&id(&newer)));
                break;
            };
            cursor = Some(next.to_owned());
        }
        // Those of the conditions before come first.
        assert_eq!(walked[walked.len() - 7..], expected, "{condition:?}");
        let mut unique = walked.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), walked.len());
    }
}

#[tokio::test]
async fn other_accounts_and_deleted_versions_are_not_seen() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let data = json!({"payload": {"source": "+6590001111"}});
    let instance = id(&app.start_instance(&definition, data).await);
    let gone = app.define(sample::pong()).await;
    app.start_instance(&gone, json!({})).await;
    app.delete(&format!("/definitions/{gone}")).await.expect_empty(202);
    assert_eq!(ids(&app, &[]).await, std::slice::from_ref(&instance));
    assert!(ids(&app, &[("definitionId", &gone)]).await.is_empty());

    let (_, key) = app.other_account("other").await;
    for followed in [false, true] {
        if followed {
            follow(app.store()).await;
        }
        for query in [
            vec![],
            vec![("id", instance.as_str())],
            vec![("status", "Runnable")],
            vec![("step", "pong")],
            vec![("phone", "6590001111")],
            vec![("definitionId", definition.as_str())],
        ] {
            let path = format!("/api/v1/accounts/other{}", path(&query));
            let page = Answer::of(app.request(Method::GET, &path).bearer_auth(&key)).await.expect(200);
            assert_eq!(page, json!({"items": [], "next": null}), "{query:?}");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_is_no_good_is_named() {
    let app = TestApp::start().await;
    let long = "x".repeat(201);
    for (name, value, named) in [
        ("status", "Gone", "status"),
        ("definitionId", "x", "definitionId"),
        ("version", "0", "version"),
        ("id", "66b1f0", "id"),
        ("step", "", "step"),
        ("error", "\0", "error"),
        ("error", &long, "error"),
        ("fingerprint", "abc", "fingerprint"),
        ("subAccountId", "", "subAccountId"),
        ("startedFrom", "yesterday", "startedFrom"),
        ("startedBefore", "2026-02-30T00:00:00Z", "startedBefore"),
        ("phone", "Mei", "phone"),
        ("phone", "911", "phone"),
        ("context.", "x", "context"),
        ("context.a", &long, "context"),
        ("limit", "501", "limit"),
        ("cursor", "x", "cursor"),
    ] {
        let message = app.get(&path(&[(name, value)])).await.expect_error(400, 1000);
        assert_eq!(message, format!("Invalid {named}."), "{name}={value}");
    }
    let names: Vec<String> = (0..9).map(|n| format!("context.m{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    app.get(&path(&many)).await.expect_error(400, 1000);
}

/// Instances that nobody executed, one a second, the newest now.
async fn make_up(app: &TestApp, definition: &str, count: i32, status: &str) {
    sqlx::query(
        "insert into instances (id, account_id, definition_id, version, status, started_at, completed_at, data)
         select decode(lpad(to_hex(extract(epoch from now())::bigint - n), 8, '0') || lpad(to_hex(n), 16, '0'), 'hex'),
             'acme', $1, 1, $3, now() - n * interval '1 second', now(), '{\"n\": ' || n || '}'
         from generate_series(1, $2) as n",
    )
    .bind(uuid::Uuid::parse_str(definition).unwrap())
    .bind(count)
    .bind(status)
    .execute(app.store().pool())
    .await
    .unwrap();
}

#[tokio::test]
async fn a_search_that_finds_little_answers_in_time_and_goes_on() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    make_up(&app, &definition, 12_000, "Complete").await;
    let wanted =
        InstanceSearch { context: vec![("n".to_owned(), "11999".to_owned())], ..InstanceSearch::default() };
    let minute = Duration::from_secs(60);
    let patient = async |patience| {
        app.store().search_instances(app.account(), &wanted, None, 10, patience).await.unwrap()
    };
    let page = async |below| {
        app.store().search_instances(app.account(), &wanted, below, 10, Duration::ZERO).await.unwrap()
    };
    let mut last = page(None).await;
    let mut pages = 1;
    while last.items.is_empty() {
        let next = page(last.next).await;
        assert!(last.next.is_some() && next.next < last.next, "it goes on where it stopped");
        (last, pages) = (next, pages + 1);
    }
    assert_eq!((last.items.len(), last.next), (1, None));
    assert!((3..=48).contains(&pages), "{pages}");
    assert_eq!(patient(minute).await, last, "who has the time gets it at once");

    follow(app.store()).await;
    let none_is_newer = page(None).await;
    assert_eq!(page(none_is_newer.next).await, last, "what is followed is not walked past");
    // What is newer than the mark is passed first.
    let newer = app.start_instance(&definition, json!({"n": 11_999})).await;
    sqlx::query("update search_marks set mark = $1 where walk = 'values'")
        .bind(&instance_id(&newer).as_bytes()[..])
        .execute(app.store().pool())
        .await
        .unwrap();
    let first = page(None).await;
    assert_eq!(first.items.iter().map(|item| item.id).collect::<Vec<_>>(), [instance_id(&newer)]);
    assert_eq!(page(first.next).await.items.len(), 1);
}

#[tokio::test]
async fn what_a_step_writes_later_is_found_when_upkeep_has_come_by_again() {
    let engine = Engine::start().await;
    let steps = json!([
        {"id": "pause", "stepType": "Wait", "inputs": {"duration": "01:00:00"}, "nextStepId": "set"},
        {"id": "set", "stepType": "If", "outputs": {"ticket": "{{'T-1'}}"}},
    ]);
    let run = engine.run(steps, json!({})).await;
    let app = &engine.app;
    follow(app.store()).await;
    let open = "select coalesce(sum(octet_length(seen)), 0) / 16 from search_following";
    assert_eq!(count(app, open).await, 1);
    engine.pass_time(4000.0).await;
    assert_eq!(run.status().await, "Complete");
    assert!(ids(app, &[("context.ticket", "T-1")]).await.is_empty());
    follow(app.store()).await;
    assert_eq!(ids(app, &[("context.ticket", "T-1")]).await, [id(&run.path)]);
    assert_eq!(count(app, open).await, 0);
    engine.finish().await;
}

async fn count(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(app.store().pool()).await.unwrap()
}

#[tokio::test]
async fn failures_of_before_are_written_down_once_nobody_ends_instances_without_a_word() {
    let app = TestApp::start().await;
    let store = app.store();
    let definition = app.define(sample::pong()).await;
    make_up(&app, &definition, 5_100, "Terminated").await;
    sqlx::query(
        "insert into steps (instance_id, n, name, status, attempt, error)
         select id, 1, 'pong', 'Failed', 1, 'Order ' || encode(id, 'hex') || ' failed'
         from instances
         where id > (select id from instances order by id desc offset 100 limit 1)",
    )
    .execute(store.pool())
    .await
    .unwrap();
    sqlx::query(
        "insert into workers (name, slots, version, leased_until)
         values ('old', 1, '0.0', now() + interval '1 h'), ('new', 1, '0.1', now() + interval '1 h')",
    )
    .execute(store.pool())
    .await
    .unwrap();
    assert!(!store.note_older_failures().await.unwrap());
    assert_eq!(count(&app, "select count(*) from failures").await, 0);
    sqlx::query("update workers set lost_at = now() where name = 'old'").execute(store.pool()).await.unwrap();
    assert!(store.note_older_failures().await.unwrap(), "one piece does not hold them all");
    assert!(!store.note_older_failures().await.unwrap());
    assert!(!store.note_older_failures().await.unwrap());
    assert_eq!(count(&app, "select count(*) from failures").await, 100);
    let fingerprint = Fingerprint::of("Order 9 failed").to_string();
    assert_eq!(ids(&app, &[("fingerprint", &fingerprint), ("limit", "500")]).await.len(), 100);
    let all = search(&app, &[("status", "Terminated"), ("limit", "500")]).await;
    let failed = all["items"].as_array().unwrap().iter().filter(|item| !item["failure"].is_null()).count();
    assert_eq!((all["items"].as_array().unwrap().len(), failed), (500, 100));
}

#[tokio::test]
async fn what_is_searched_by_leaves_with_the_instances() {
    let app = TestApp::start().await;
    let store = app.store();
    let definition = app.define(sample::pong()).await;
    for table in ["instances", "steps"] {
        let create = format!(
            "create table {table}_2025w02 partition of {table} for values from ('\\x677b1d00') to ('\\x67845780')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(store.pool()).await.unwrap();
    }
    store.ensure_partitions().await.unwrap();
    for (id, table) in [("677b1d010000000000000001", "2025w02"), ("600000000000000000000001", "rest")] {
        let insert = format!(
            "insert into instances (id, account_id, definition_id, version, status, started_at, completed_at, data)
             values ('\\x{id}', 'acme', '{definition}', 1, 'Terminated', '2025-01-07', '2025-01-08', '{{\"a\": 1}}');
             insert into steps (instance_id, n, name, status, attempt, error)
             values ('\\x{id}', 1, 'pong', 'Failed', 1, 'no')"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(store.pool()).await.unwrap();
        let _ = table;
    }
    follow(store).await;
    store.note_older_failures().await.unwrap();
    assert_eq!(ids(&app, &[("context.a", "1")]).await.len(), 2);
    assert_eq!(count(&app, "select count(*) from search_buckets_2025w02").await, 1);
    assert_eq!(count(&app, "select count(*) from search_buckets_rest").await, 1);
    assert_eq!(count(&app, "select count(*) from failures").await, 2);
    assert_eq!(store.prune_history(Duration::from_secs(90 * 86_400)).await.unwrap(), 1);
    assert_eq!(count(&app, "select count(*) from failures").await, 0);
    assert_eq!(count(&app, "select count(*) from search_buckets").await, 0);
    let left = "select count(*) from pg_class where relname ~ '_2025w02$'";
    assert_eq!(count(&app, left).await, 0);
    assert!(ids(&app, &[]).await.is_empty());
}
