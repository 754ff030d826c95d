//! What is kept secret, and who is believed (spec 7.8, C-236, U-65).

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline::api::ApiConfig;
use trunkline_connectors::outbound::parse_network;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, ListedSecret, NewConnector};
use trunkline_store::reseal::{LostKey, Resealed};
use trunkline_store::sealing::MasterKeys;
use trunkline_store::webhook_settings::{Headerless, Rotated, dtmf_token, url_token};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use crate::support::{Answer, TestApp, WEBHOOK_SECRET, http_client, open_store, sample, serve};

/// A call of the messages' webhook with this header, or none.
pub async fn webhook(app: &TestApp, account: &str, authorization: Option<&str>) -> Answer {
    let request = app.request(Method::POST, &format!("/webhooks/v1/accounts/{account}/messages"));
    let request = request.json(&sample::inbound_sms("m1", "s"));
    Answer::of(match authorization {
        Some(value) => request.header(AUTHORIZATION, value),
        None => request,
    })
    .await
}

#[tokio::test]
async fn c_236_wrong_credentials_have_no_effect() {
    let app = TestApp::start().await;
    app.other_account("other").await;
    let definition = app.define(sample::enabled("inbound_sms", None)).await;
    for wrong in [None, Some(""), Some("Basic c2VjcmV1"), Some("basic c2VjcmV0"), Some("c2VjcmV0")] {
        let answer = webhook(&app, "acme", wrong).await;
        answer.expect_error(401, 1200);
        assert_eq!(answer.header("www-authenticate"), None);
    }
    // Without a secret nobody is taken, and an account without one looks like one that is not there.
    for authorization in [None, Some(""), Some(WEBHOOK_SECRET)] {
        for account in ["other", "nobody"] {
            webhook(&app, account, authorization).await.expect_error(401, 1200);
        }
    }
    assert_eq!(app.instances_of(&definition).await.len(), 0);
    webhook(&app, "acme", Some(WEBHOOK_SECRET)).await.expect_empty(200);
    assert_eq!(app.instances_of(&definition).await.len(), 1);
}

#[tokio::test]
async fn c_236_a_token_opens_the_one_webhook_that_it_is_made_for() {
    let app = TestApp::start().await;
    let token = dtmf_token(WEBHOOK_SECRET);
    let called = async |webhook: &str, query: &str| {
        let path = format!("/webhooks/v1/accounts/acme/{webhook}{query}");
        Answer::of(app.request(Method::POST, &path).json(&json!({}))).await.status.as_u16()
    };
    let with = |token: &str| format!("?token={token}");
    assert_ne!(called("dtmf", &with(&token)).await, 401);
    for wrong in
        [String::new(), with(""), with(&token[1..]), with(&token.to_uppercase()), with(WEBHOOK_SECRET)]
    {
        assert_eq!(called("dtmf", &wrong).await, 401, "{wrong}");
    }
    assert_eq!(called("messages", &with(&token)).await, 401);
    // The URL of one webhook says nothing about those of the others.
    for webhook in Headerless::ALL {
        for of in Headerless::ALL {
            let status = called(webhook.as_str(), &with(&url_token(WEBHOOK_SECRET, of))).await;
            assert_eq!(status != 401, webhook == of, "{webhook:?} with the token of {of:?}");
        }
    }
    let by_header = Answer::of(app.webhook_request("dtmf").json(&json!({}))).await;
    assert_ne!(by_header.status, 401);
}

/// A server of the same database, which knows nothing from before.
async fn fresh_server(app: &TestApp, config: ApiConfig) -> String {
    serve(app.store().clone(), config).await
}

async fn call(server: &str, forwarded_for: Option<&str>) -> u16 {
    let url = format!("{server}/webhooks/v1/accounts/acme/messages");
    let request = http_client().post(url).header(AUTHORIZATION, WEBHOOK_SECRET).json(&json!({}));
    let request = match forwarded_for {
        Some(address) => request.header("X-Forwarded-For", address),
        None => request,
    };
    Answer::of(request).await.status.as_u16()
}

#[tokio::test]
async fn c_236_a_webhook_from_an_address_that_is_not_allowed_is_refused() {
    let app = TestApp::start().await;
    let allow = async |networks: &[&str]| {
        let networks: Vec<String> = networks.iter().map(|network| (*network).to_owned()).collect();
        assert!(app.store().allow_webhooks_from(app.account(), &networks, &By::trunkline()).await.unwrap());
    };
    let behind_proxy =
        || ApiConfig { trusted_proxies: vec![parse_network("127.0.0.0/8").unwrap()], ..ApiConfig::default() };

    allow(&["127.0.0.1"]).await;
    let server = fresh_server(&app, ApiConfig::default()).await;
    assert_eq!(call(&server, None).await, 200);
    assert_eq!(call(&server, Some("52.10.10.63")).await, 200, "nobody is a proxy here");

    allow(&["52.10.10.63", "203.0.113.0/24"]).await;
    let server = fresh_server(&app, ApiConfig::default()).await;
    assert_eq!(call(&server, None).await, 401);
    assert_eq!(call(&server, Some("52.10.10.63")).await, 401);
    let server = fresh_server(&app, behind_proxy()).await;
    for (forwarded_for, status) in [
        (None, 401),
        (Some("52.10.10.63"), 200),
        (Some("203.0.113.7"), 200),
        (Some("52.10.10.64"), 401),
        (Some("52.10.10.63, 52.10.10.64"), 401),
        (Some("52.10.10.64, 52.10.10.63, 127.0.0.2"), 200),
        (Some("unknown"), 401),
    ] {
        assert_eq!(call(&server, forwarded_for).await, status, "{forwarded_for:?}");
    }

    allow(&[]).await;
    let server = fresh_server(&app, ApiConfig::default()).await;
    assert_eq!(call(&server, None).await, 200);
}

#[tokio::test]
async fn a_replaced_webhook_secret_is_the_only_one_that_counts() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let kept = store.ensure_webhook_settings(account, "fresh", &By::trunkline()).await.unwrap().unwrap();
    assert_eq!(kept.secret, WEBHOOK_SECRET);
    assert!(!format!("{kept:?}").contains("c2VjcmV0"));
    assert!(store.replace_webhook_secret(account, "Bearer other", &By::trunkline()).await.unwrap());
    assert_eq!(store.webhook_secret(account).await.unwrap().as_deref(), Some("Bearer other"));
    assert_eq!(call(&fresh_server(&app, ApiConfig::default()).await, None).await, 401);

    // Rotated, the one of before counts for another day.
    assert!(store.replace_webhook_secret(account, WEBHOOK_SECRET, &By::trunkline()).await.unwrap());
    let Some(Rotated::Taken { until }) =
        store.rotate_webhook_secret(account, "Bearer second", &By::trunkline()).await.unwrap()
    else {
        panic!("there was one before")
    };
    assert_eq!(call(&fresh_server(&app, ApiConfig::default()).await, None).await, 200);
    // Rotated again, it keeps its day: the platform may never have been told of the one in between.
    let again = store.rotate_webhook_secret(account, "Bearer third", &By::trunkline()).await.unwrap();
    assert_eq!(again, Some(Rotated::Skipped { until }));
    let settings = store.webhook_settings(account).await.unwrap().unwrap();
    assert_eq!((&settings.secret[..], settings.previous.as_deref()), ("Bearer third", Some(WEBHOOK_SECRET)));
    let server = fresh_server(&app, ApiConfig::default()).await;
    assert_eq!(call(&server, None).await, 200);
    let token = dtmf_token(WEBHOOK_SECRET);
    let keys = http_client().post(format!("{server}/webhooks/v1/accounts/acme/dtmf?token={token}"));
    assert_ne!(Answer::of(keys.json(&json!({}))).await.status, 401);
    sqlx::query("update webhook_settings set previous_until = now()").execute(store.pool()).await.unwrap();
    assert_eq!(call(&fresh_server(&app, ApiConfig::default()).await, None).await, 401);
    let later = store.rotate_webhook_secret(account, "Bearer fourth", &By::trunkline()).await.unwrap();
    assert!(matches!(later, Some(Rotated::Taken { until: new }) if new > until), "{later:?}");
    assert_eq!(
        store.webhook_settings(account).await.unwrap().unwrap().previous.as_deref(),
        Some("Bearer third")
    );

    let (other, _) = app.other_account("other").await;
    assert_eq!(
        store.rotate_webhook_secret(&other, "x", &By::trunkline()).await.unwrap(),
        Some(Rotated::First)
    );
    let nobody = AccountId::new("nobody");
    assert_eq!(store.rotate_webhook_secret(&nobody, "x", &By::trunkline()).await.unwrap(), None);
    assert!(!store.replace_webhook_secret(&nobody, "x", &By::trunkline()).await.unwrap());
    assert_eq!(store.ensure_webhook_settings(&nobody, "x", &By::trunkline()).await.unwrap(), None);
    assert!(!store.allow_webhooks_from(&nobody, &[], &By::trunkline()).await.unwrap());
    assert_eq!(store.webhook_secret(&nobody).await.unwrap(), None);
}

pub fn with_secret() -> Value {
    let mut definition = sample::definition(json!([{"id": "call", "stepType": "HttpRequest",
        "inputs": {"url": "https://example.com", "method": "GET", "headers": {"Authorization": "Basic aHVzaA=="}}}]));
    definition["note"] = "also hush".into();
    definition
}

#[tokio::test]
async fn secrets_of_definitions_are_sealed_and_given_back_as_submitted() {
    let app = TestApp::start().await;
    let body = with_secret();
    let id = app.define(body.clone()).await;
    app.put(&format!("/definitions/{id}"), body.clone()).await.expect(200);
    let stored: Vec<(String, String)> = sqlx::query_as("select steps, extras from definition_versions")
        .fetch_all(app.store().pool())
        .await
        .unwrap();
    assert_eq!(stored.len(), 2);
    for text in stored.iter().flat_map(|(steps, extras)| [steps, extras]) {
        assert!(text.starts_with("v1.") && !text.contains("call") && !text.contains("hush"), "{text}");
    }
    assert_ne!(stored[0].0, stored[1].0);
    let list = app.get("/definitions").await.expect(200);
    let history = app.get(&format!("/definitions/{id}")).await.expect(200);
    for shown in list.as_array().unwrap().iter().chain(history.as_array().unwrap()) {
        assert_eq!(shown["definition"]["steps"], body["definition"]["steps"]);
        assert_eq!(shown["note"], body["note"]);
    }
    let loaded = app.store().load_version(app.account(), id.parse().unwrap(), 2).await.unwrap().unwrap();
    assert_eq!(loaded, body["definition"]["steps"].to_string());
}

#[tokio::test]
async fn definitions_of_older_releases_are_read_as_they_are_until_they_are_resealed() {
    let app = TestApp::start().await;
    let id = app.define(with_secret()).await;
    let steps = json!([sample::sms("plain")]);
    let unseal = async |steps: &Value| {
        sqlx::query("update definition_versions set steps = $1, extras = '{\"kind\": \"old\"}'")
            .bind(steps.to_string())
            .execute(app.store().pool())
            .await
            .unwrap();
    };
    let list = async |store: Store| {
        let server = serve(store, ApiConfig::default()).await;
        let url = format!("{server}/api/v1/accounts/acme/definitions");
        Answer::of(http_client().get(url).bearer_auth(app.key())).await
    };
    // As if no process had had a key yet.
    unseal(&steps).await;
    sqlx::query("delete from master_key_check").execute(app.store().pool()).await.unwrap();
    let older = open_store(app.database_url());
    let shown = &list(older.clone()).await.expect(200)[0];
    assert_eq!((&shown["definition"]["steps"], &shown["kind"]), (&steps, &json!("old")));
    let loaded = older.load_version(app.account(), id.parse().unwrap(), 1).await.unwrap();
    assert_eq!(loaded, Some(steps.to_string()));

    assert_eq!(older.reseal(LostKey::Refused).await.unwrap(), Resealed { rows: 1, left: Vec::new() });
    assert_eq!(older.reseal(LostKey::Refused).await.unwrap(), Resealed { rows: 0, left: Vec::new() });
    let stored: String =
        sqlx::query_scalar("select steps from definition_versions").fetch_one(older.pool()).await.unwrap();
    assert!(stored.starts_with("v1."), "{stored}");
    assert_eq!(list(open_store(app.database_url())).await.expect(200)[0]["definition"]["steps"], steps);

    // From now on a plain one is a foreign hand's.
    unseal(&json!([sample::sms("foreign")])).await;
    list(open_store(app.database_url())).await.expect_error(500, 2000);
}

#[tokio::test]
async fn a_sealed_text_cannot_be_moved_to_another_row_and_spoils_that_row_alone() {
    let app = TestApp::start().await;
    let sound = app.define(with_secret()).await;
    let spoilt = app.define(sample::pong()).await;
    let instance = app.start_instance(&spoilt, json!({"payload": {"source": "+6590001111"}})).await;
    sqlx::query(
        "update definition_versions
         set steps = (select steps from definition_versions order by created_at limit 1)",
    )
    .execute(app.store().pool())
    .await
    .unwrap();
    let list = app.get("/definitions").await.expect(200);
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|shown| shown["id"].clone()).collect();
    assert_eq!(ids, [json!(sound)]);
    app.get(&format!("/definitions/{spoilt}")).await.expect_error(500, 2000);
    // What cannot be read can be stopped, and replaced.
    app.patch(&instance, json!({"status": "terminate"})).await.expect_empty(200);
    assert_eq!(app.get(&instance).await.expect(200)["status"], "Terminated");
    app.put(&format!("/definitions/{spoilt}"), sample::pong()).await.expect(200);
    assert_eq!(app.get("/definitions").await.expect(200).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_is_not_sent_where_a_foreign_hand_wants_it() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let settings = json!({"region": "europe"});
    let kind = ConnectorKind::EightByEight;
    let new = NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("key-1") };
    assert!(store.set_connector(new, &By::trunkline()).await.unwrap());
    sqlx::query("update connectors set settings = '{\"smsUrl\": \"https://evil.example\"}'")
        .execute(store.pool())
        .await
        .unwrap();
    let found = store.find_connector(account, kind, None).await;
    assert!(matches!(found, Err(StoreError::Damaged(_))), "{found:?}");
    let listed = &store.list_connectors(account).await.unwrap()[0];
    assert!(matches!(listed.secret, ListedSecret::Sealed(_)), "{listed:?}");
}

#[tokio::test]
async fn c_236_a_damaged_secret_looks_like_none() {
    let app = TestApp::start().await;
    sqlx::query("update webhook_settings set secret = left(secret, 12) || 'AAAA'")
        .execute(app.store().pool())
        .await
        .unwrap();
    assert_eq!(call(&fresh_server(&app, ApiConfig::default()).await, None).await, 401);
}

#[tokio::test]
async fn c_236_a_secret_whose_master_key_is_missing_is_nobodys_fault_but_the_servers() {
    let app = TestApp::start().await;
    let store = app.store();
    let seal_elsewhere = async || {
        sqlx::query("update webhook_settings set secret = 'v1.deadbeef.AAAA'")
            .execute(store.pool())
            .await
            .unwrap();
    };
    seal_elsewhere().await;
    assert_eq!(call(&fresh_server(&app, ApiConfig::default()).await, None).await, 503);
    let unread = store.webhook_secret(app.account()).await;
    assert!(matches!(&unread, Err(StoreError::UnknownMasterKey(key)) if key == "deadbeef"), "{unread:?}");
    // Strangers still learn nothing about accounts that have no secret, or are none.
    app.other_account("other").await;
    for account in ["other", "nobody"] {
        webhook(&app, account, Some(WEBHOOK_SECRET)).await.expect_error(401, 1200);
    }
    // The one before it counts as long as it can be read; any other may be the one that cannot be.
    store.replace_webhook_secret(app.account(), WEBHOOK_SECRET, &By::trunkline()).await.unwrap();
    store.rotate_webhook_secret(app.account(), "Bearer next", &By::trunkline()).await.unwrap();
    seal_elsewhere().await;
    let server = fresh_server(&app, ApiConfig::default()).await;
    assert_eq!(call(&server, None).await, 200);
    let with_next = http_client().post(format!("{server}/webhooks/v1/accounts/acme/messages"));
    let with_next = with_next.header(AUTHORIZATION, "Bearer next").json(&json!({}));
    Answer::of(with_next).await.expect_error(503, 2000);
}

#[tokio::test]
async fn a_server_without_the_right_master_key_is_not_ready_for_definitions() {
    let app = TestApp::start().await;
    let id = app.define(with_secret()).await;
    let keyless = Store::open(app.database_url(), 2).unwrap();
    let other_key = keyless.clone().with_master_keys(MasterKeys::from_random([9; 32]));
    let http = http_client();
    let definitions = |server: &str| format!("{server}/api/v1/accounts/acme/definitions");
    for store in [keyless.clone(), other_key.clone()] {
        let server = serve(store, ApiConfig::default()).await;
        let list = http.get(definitions(&server)).bearer_auth(app.key());
        Answer::of(list).await.expect_error(503, 2000);
        assert_eq!(call(&server, None).await, 503);
    }
    let ready = |server: &str| http.get(format!("{server}/readyz"));
    Answer::of(ready(&serve(other_key.clone(), ApiConfig::default()).await)).await.expect_error(503, 2000);
    Answer::of(ready(app.url())).await.expect(200);
    for store in [keyless.clone(), other_key] {
        let server = serve(store, ApiConfig::default()).await;
        let create = http.post(definitions(&server)).bearer_auth(app.key()).json(&sample::pong());
        Answer::of(create).await.expect_error(503, 2000);
        let update =
            http.put(format!("{}/{id}", definitions(&server))).bearer_auth(app.key()).json(&sample::pong());
        Answer::of(update).await.expect_error(503, 2000);
    }
    let stored: i64 = sqlx::query_scalar("select count(*) from definition_versions")
        .fetch_one(app.store().pool())
        .await
        .unwrap();
    assert_eq!(stored, 1);
    assert!(matches!(keyless.list_connectors(app.account()).await, Ok(none) if none.is_empty()));
}

#[tokio::test]
async fn a_subaccounts_own_connector_comes_before_the_accounts() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let kind = ConnectorKind::EightByEight;
    let set = async |subaccount: Option<&str>, settings: Value, secret: Option<&str>| {
        store
            .set_connector(
                NewConnector { account, kind, subaccount, settings: &settings, secret },
                &By::trunkline(),
            )
            .await
            .unwrap()
    };
    let find = async |subaccount: Option<&str>| {
        store
            .find_connector(account, kind, subaccount)
            .await
            .unwrap()
            .map(|found| (found.subaccount, found.secret))
    };
    let found = |subaccount: Option<&str>, secret: &str| {
        Some((subaccount.map(str::to_owned), Some(secret.to_owned())))
    };
    assert_eq!(find(Some("shop")).await, None);
    assert!(set(Some("shop"), json!({}), Some("key-shop")).await);
    assert_eq!((find(Some("other")).await, find(None).await), (None, None));
    assert!(set(None, json!({"region": "europe"}), Some("key-1")).await);
    assert!(set(None, json!({"region": "indonesia"}), Some("key-2")).await);
    assert_eq!(find(None).await, found(None, "key-2"));
    assert_eq!(find(Some("other")).await, found(None, "key-2"));
    assert_eq!(find(Some("shop")).await, found(Some("shop"), "key-shop"));

    let exactly = async |subaccount: Option<&str>| {
        let found = store.look_up_connector(account, kind, subaccount).await.unwrap();
        found.map(|found| (found.subaccount, found.secret))
    };
    let opened = |secret: &str| ListedSecret::Opened(secret.to_owned());
    assert_eq!(exactly(Some("shop")).await, Some((Some("shop".to_owned()), opened("key-shop"))));
    assert_eq!(exactly(None).await, Some((None, opened("key-2"))));
    assert_eq!(exactly(Some("other")).await, None);

    let list = store.list_connectors(account).await.unwrap();
    let settings: Vec<_> = list.iter().map(|connector| connector.settings.clone()).collect();
    assert_eq!(settings, [json!({"region": "indonesia"}), json!({})]);
    assert!(!format!("{list:?}").contains("key-"));
    let stored: Vec<String> =
        sqlx::query_scalar("select secret from connectors").fetch_all(store.pool()).await.unwrap();
    assert!(stored.iter().all(|secret| secret.starts_with("v1.") && !secret.contains("key")), "{stored:?}");

    let converse = ConnectorKind::Converse;
    let settings = json!({"url": "https://desk.example"});
    let new = NewConnector { account, kind: converse, subaccount: None, settings: &settings, secret: None };
    assert!(store.set_connector(new, &By::trunkline()).await.unwrap());
    let found_converse = store.find_connector(account, converse, Some("shop")).await.unwrap().unwrap();
    assert_eq!((found_converse.settings, found_converse.secret), (settings.clone(), None));
    let nobody = AccountId::new("nobody");
    assert!(!store.set_connector(NewConnector { account: &nobody, ..new }, &By::trunkline()).await.unwrap());

    assert!(store.remove_connector(account, kind, Some("shop"), &By::trunkline()).await.unwrap());
    assert!(!store.remove_connector(account, kind, Some("shop"), &By::trunkline()).await.unwrap());
    assert_eq!(find(Some("shop")).await, found(None, "key-2"));
}
