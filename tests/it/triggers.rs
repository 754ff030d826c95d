//! `POST /triggers/http_request` (spec 2.12, 6.4).

use reqwest::Method;
use serde_json::{Value, json};

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
