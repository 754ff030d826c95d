//! Who did what.

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline_store::applications::{ApplicationFields, CreatedApplication};
use trunkline_store::audit::{Actor, By};
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_store::nexmo_accounts::{CallbackUrls, Standing};
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_store::usage::QuotaChange;
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::nexmo::site::{API_KEY, basic, keys};
use crate::support::{Answer, TestApp, sample};

async fn audit(app: &TestApp, query: &str) -> Vec<Value> {
    app.get(&format!("/audit{query}")).await.expect(200).as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_done_is_written_down_with_actor_and_reason() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    app.put(&format!("/definitions/{definition}"), sample::pong()).await.expect(200);
    let instance = app.start_instance(&definition, json!({})).await;
    let request = app.account_request(Method::PATCH, &instance).json(&json!({"status": "suspend"}));
    Answer::of(request.header("Trunkline-Reason", "Übung, Fall 7")).await.expect_empty(200);
    app.patch(&instance, json!({"status": "terminate"})).await.expect_empty(200);
    app.patch(&instance, json!({"status": "terminate"})).await.expect_error(400, 1000);
    app.delete(&format!("/definitions/{definition}")).await.expect_empty(202);

    let all = audit(&app, "").await;
    let expected = [
        "definition.delete",
        "instance.terminate",
        "instance.suspend",
        "definition.update",
        "definition.create",
        "webhook.rotate",
        "key.create",
    ];
    assert_eq!(actions(&all), expected);
    let id = instance.rsplit('/').next().unwrap();
    let suspended = &all[2];
    assert_eq!((&suspended["object"], &suspended["reason"]), (&json!(id), &json!("Übung, Fall 7")));
    assert_eq!((&suspended["actor"]["kind"], &suspended["actor"]["name"]), (&json!("key"), &json!("tests")));
    let key = app.store().list_keys(app.account()).await.unwrap()[0].id;
    assert_eq!(suspended["actor"]["id"], json!(key));
    assert_eq!(all[3]["detail"], json!({"version": 2, "name": "Sample", "enabled": false}));
    assert_eq!(all[6]["actor"], json!({"kind": "trunkline", "id": null, "name": null}));
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_narrow() {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.define(sample::pong()).await;
    }
    let first = audit(&app, "?limit=2").await;
    // What is done meanwhile moves nothing.
    let last = app.define(sample::pong()).await;
    let second = audit(&app, &format!("?limit=10&before={}", first[1]["id"])).await;
    assert_eq!(actions(&second), ["definition.create", "webhook.rotate", "key.create"]);
    assert_eq!(audit(&app, "?action=key.create").await.len(), 1);
    assert_eq!(audit(&app, &format!("?object={last}")).await.len(), 1);
    for wrong in ["?before=0", "?before=x", "?limit=0", "?action=", "?object=%00"] {
        app.get(&format!("/audit{wrong}")).await.expect_error(400, 1000);
    }
    let long = "x".repeat(501);
    let request = app.account_request(Method::DELETE, &format!("/definitions/{last}"));
    let answer = Answer::of(request.header("Trunkline-Reason", long)).await;
    assert_eq!(answer.expect_error(400, 1000), "Invalid Trunkline-Reason.");
    let (_, key) = app.other_account("other").await;
    let request = app.request(Method::GET, "/api/v1/accounts/other/audit").bearer_auth(&key);
    assert_eq!(Answer::of(request).await.expect(200).as_array().unwrap().len(), 1, "its own key");
}

#[tokio::test]
async fn nothing_in_it_can_be_changed() {
    let app = TestApp::start().await;
    app.define(sample::pong()).await;
    for statement in ["update audit set action = 'x'", "delete from audit", "truncate audit"] {
        let refused = sqlx::query(statement).execute(app.store().pool()).await.unwrap_err();
        assert!(refused.to_string().contains("only appended to"), "{statement}: {refused}");
    }
    assert_eq!(audit(&app, "").await.len(), 3);
}

/// What an administrator changes, by the API or at a shell, and never a secret of it.
#[tokio::test]
async fn credentials_connectors_webhooks_and_quotas_are_written_down_too() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let by = By { actor: Actor::CommandLine(Some("dana".to_owned())), reason: Some("case 7".to_owned()) };
    let url = |name: &str| Some(format!("https://hush:hush@shop.example/{name}"));
    let urls = CallbackUrls { status: url("st"), inbound: url("in") };
    for _ in 0..2 {
        store.ensure_nexmo_account(account, API_KEY, &by).await.unwrap().unwrap();
    }
    let secret = ApiSecret::from_random([7; 32]);
    let AddedSecret::Added(secret_id) = store.add_secret(account, &secret, &by).await.unwrap() else {
        panic!()
    };
    assert!(store.set_account_callbacks(account, &urls, &by).await.unwrap());
    assert!(store.set_signature_secret(account, "hush", &by).await.unwrap());
    assert!(store.remove_signature_secret(account, &by).await.unwrap());
    for standing in [Standing::Suspended, Standing::Active] {
        assert!(store.set_account_standing(account, standing, &by).await.unwrap());
    }
    let fields = ApplicationFields { name: "Parcel alerts".to_owned(), urls };
    let application = Uuid::new_v4();
    let pem = keys().await[0].public.to_pem();
    let created = store.create_application(account, application, &fields, &pem, &by).await.unwrap();
    assert!(matches!(created, CreatedApplication::Created(_)));
    assert!(store.update_application(account, application, &fields, None, &by).await.unwrap().is_some());
    assert!(store.rotate_application_key(application, &pem, &by).await.unwrap());
    for standing in [Standing::Suspended, Standing::Active] {
        assert!(store.set_application_standing(application, standing, &by).await.unwrap());
    }
    assert!(store.delete_application(account, application, &by).await.unwrap());
    assert!(store.revoke_secret(secret_id, &by).await.unwrap());
    let settings = json!({"url": "https://hush:hush@desk.example"});
    let (kind, subaccount) = (ConnectorKind::Converse, Some("shop"));
    let new = NewConnector { account, kind, subaccount, settings: &settings, secret: Some("hush") };
    assert!(store.set_connector(new, &by).await.unwrap());
    assert!(store.remove_connector(account, kind, subaccount, &by).await.unwrap());
    store.ensure_webhook_settings(account, "Bearer hush", &by).await.unwrap().unwrap();
    store.rotate_webhook_secret(account, "Bearer hush", &by).await.unwrap().unwrap();
    assert!(store.allow_webhooks_from(account, &["10.0.0.0/8".to_owned()], &by).await.unwrap());
    let quota = QuotaChange { allowed: Some(Some(7)), overage: Some(false), overage_price: None };
    assert!(store.change_quota(account, quota, &by).await.unwrap());

    // What changes nothing is not written down.
    let nobody = AccountId::new("nobody");
    assert!(!store.revoke_secret(secret_id, &by).await.unwrap());
    assert!(!store.delete_application(account, application, &by).await.unwrap());
    assert!(!store.remove_connector(account, kind, subaccount, &by).await.unwrap());
    assert!(!store.set_connector(NewConnector { account: &nobody, ..new }, &by).await.unwrap());

    let mut all = audit(&app, "?limit=100").await;
    all.reverse();
    // Before come the key of this test and the secret of its webhooks.
    let all = &all[2..];
    assert_eq!(
        actions(all),
        [
            "credentials.create",
            "secret.create",
            "credentials.callbacks",
            "credentials.signature",
            "credentials.signature",
            "credentials.suspend",
            "credentials.resume",
            "application.create",
            "application.update",
            "application.rotate",
            "application.suspend",
            "application.resume",
            "application.delete",
            "secret.revoke",
            "connector.set",
            "connector.remove",
            "webhook.rotate",
            "webhook.allow",
            "account.quota",
        ]
    );
    for line in all {
        assert_eq!(line["actor"], json!({"kind": "command-line", "id": null, "name": "dana"}));
        assert_eq!(line["reason"], "case 7");
        let text = line.to_string();
        assert!(!text.contains("hush") && !text.contains(secret.reveal()), "{text}");
    }
    let object = |place: usize| all[place]["object"].as_str().unwrap();
    assert_eq!((object(0), object(1)), (API_KEY, &secret_id.to_string()[..]));
    assert_eq!((object(7), object(14)), (&application.to_string()[..], "converse/shop"));
    assert_eq!(all[7]["detail"]["name"], "Parcel alerts");
    assert_eq!(all[18]["detail"], json!({"allowed": 7, "overage": false, "overagePrice": 0.0}));
}

#[tokio::test]
async fn who_administers_by_the_workflows_api_is_its_key() {
    let app = TestApp::start().await;
    app.store().ensure_nexmo_account(app.account(), API_KEY, &By::trunkline()).await.unwrap().unwrap();
    let secret = ApiSecret::from_random(rand::random());
    app.store().add_secret(app.account(), &secret, &By::trunkline()).await.unwrap();
    let call = async |method, path: &str, body: Option<Value>| {
        let request = app.request(method, path).header(AUTHORIZATION, basic(API_KEY, secret.reveal()));
        Answer::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    };
    let body = json!({"name": "Parcel alerts", "keys": {"public_key": keys().await[0].public.to_pem()}});
    let created = call(Method::POST, "/v2/applications", Some(body.clone())).await.expect(201);
    let path = format!("/v2/applications/{}", created["id"].as_str().unwrap());
    call(Method::PUT, &path, Some(body)).await.expect(200);
    call(Method::DELETE, &path, None).await.expect_status(204);
    let written = audit(&app, &format!("?object={}", created["id"].as_str().unwrap())).await;
    assert_eq!(actions(&written), ["application.delete", "application.update", "application.create"]);
    for line in written {
        assert_eq!((&line["actor"]["kind"], &line["actor"]["id"]), (&json!("api-key"), &json!(API_KEY)));
    }
}
