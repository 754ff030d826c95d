//! `POST /triggers/http_request` (spec 2.12, 6.4).

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Map, Value, json};
use trunkline_store::starts::{NewInstance, StartContext};

use crate::support::{Answer, TestApp, sample};

#[tokio::test]
async fn c_230_an_event_that_nothing_matches_was_raised_all_the_same() {
    let app = TestApp::start().await;
    for body in [json!({}), json!([1]), json!("x"), json!(null)] {
        app.post("/triggers/http_request", body).await.expect_empty(200);
    }
    Answer::of(app.account_request(Method::POST, "/triggers/http_request")).await.expect_empty(200);
}

#[tokio::test]
async fn c_231_c_233_every_match_starts_with_the_bodys_members() {
    let app = TestApp::start().await;
    let first = app.define(sample::enabled("http_request", None)).await;
    let second = app.define(sample::enabled("http_request", None)).await;
    let body = json!({"price": "10", "item": "lamp", "accountId": "other", "subAccountId": "theirs"});
    app.post("/triggers/http_request", body).await.expect_empty(200);
    for definition in [&first, &second] {
        let instances = app.instances_of(definition).await;
        assert_eq!(instances.len(), 1);
        let data = &instances[0]["data"];
        let members: Vec<&String> = data.as_object().unwrap().keys().collect();
        assert_eq!(members, ["price", "item", "accountId", "triggeredAt"]);
        assert_eq!((&data["price"], &data["accountId"]), (&"10".into(), &"acme".into()));
    }
    let body = [json!([1, 2]), json!("x")];
    for body in body {
        app.post("/triggers/http_request", body.clone()).await.expect_empty(200);
        assert_eq!(app.instances_of(&first).await[0]["data"]["payload"], body);
    }
}

/// It is sent once for all of them, and each has it; whoever starts beside them has their own.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_starts_all_that_match_and_small_starts_go_beside_it() {
    let app = TestApp::start().await;
    let mut triggered = Vec::new();
    for _ in 0..12 {
        triggered.push(app.define(sample::enabled("http_request", None)).await);
    }
    let other = app.define(sample::enabled("inbound_sms", None)).await;
    let large: Vec<usize> = (0..150_000).collect();
    let events =
        (0..3).map(|event| app.post("/triggers/http_request", json!({"event": event, "list": large})));
    let others = (0..50).map(|n| app.start_instance(&other, json!({"n": n})));
    let (events, others) = futures::future::join(join_all(events), join_all(others)).await;
    for event in events {
        event.expect_empty(200);
    }
    for definition in &triggered {
        let mut instances = app.instances_of(definition).await;
        instances.sort_by_key(|instance| instance["data"]["event"].as_u64());
        let events: Vec<&Value> = instances.iter().map(|instance| &instance["data"]["event"]).collect();
        assert_eq!(events, [0, 1, 2]);
        assert!(instances.iter().all(|instance| instance["data"]["list"] == json!(large)));
    }
    for (n, path) in others.iter().enumerate() {
        assert_eq!(app.get(path).await.expect(200)["data"]["n"], n);
    }
}

#[tokio::test]
async fn rows_of_one_statement_have_their_contexts_whoever_shares_them() {
    let app = TestApp::start().await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    let context = |n: u64| StartContext::from(Map::from_iter([("n".to_owned(), n.into())]));
    let [first, second] = [context(1), context(2)];
    let shared = [&first, &first, &second, &first, &second, &second, &context(3)];
    let new = shared.map(|data| NewInstance {
        account: app.account().clone(),
        definition: definition.parse().unwrap(),
        version: 1,
        data: data.clone(),
    });
    let started = app.store().start(new.into()).await.unwrap();
    for (id, n) in started.into_iter().zip([1, 1, 2, 1, 2, 2, 3]) {
        let path = format!("/definitions/{definition}/workflows/{id}");
        assert_eq!(app.get(&path).await.expect(200)["data"]["n"], n);
    }
}

#[tokio::test]
async fn c_226_c_227_c_232_the_subaccount_and_the_newest_version_decide() {
    let app = TestApp::start().await;
    let free = app.define(sample::enabled("http_request", None)).await;
    let a = app.define(sample::enabled("http_request", Some("A"))).await;
    let b = app.define(sample::enabled("http_request", Some("B"))).await;
    let sms = app.define(sample::enabled("inbound_sms", None)).await;
    let mut disabled = sample::enabled("http_request", None);
    disabled["status"] = "disabled".into();
    let never = app.define(disabled.clone()).await;
    let switched_off = app.define(sample::enabled("http_request", None)).await;
    app.put(&format!("/definitions/{switched_off}"), disabled).await.expect(200);
    let (_, key) = app.other_account("other").await;
    let theirs = app.request(Method::POST, "/api/v1/accounts/other/definitions").bearer_auth(&key);
    let theirs = Answer::of(theirs.json(&sample::enabled("http_request", None))).await.expect(201);

    app.post("/triggers/http_request?subAccountId=A", json!({})).await.expect_empty(200);
    app.post("/triggers/http_request", json!({})).await.expect_empty(200);
    app.post("/triggers/http_request?subAccountId=a", json!({})).await.expect_empty(200);

    for (definition, subaccounts) in [
        (&free, vec![json!("a"), Value::Null, json!("A")]),
        (&a, vec![json!("A")]),
        (&b, vec![]),
        (&sms, vec![]),
        (&never, vec![]),
        (&switched_off, vec![]),
    ] {
        let instances = app.instances_of(definition).await;
        let seen: Vec<Value> = instances.iter().map(|i| i["data"]["subAccountId"].clone()).collect();
        assert_eq!(seen, subaccounts);
    }
    let path = format!("/definitions/{switched_off}/workflows?version=1");
    assert_eq!(app.get(&path).await.expect(200), json!([]));
    let path = format!("/api/v1/accounts/other/definitions/{}/workflows", theirs["id"].as_str().unwrap());
    let list = Answer::of(app.request(Method::GET, &path).bearer_auth(&key)).await;
    assert_eq!(list.expect(200), json!([]));
}
