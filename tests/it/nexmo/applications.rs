//! `/v2/applications`.

use std::num::NonZeroU32;

use futures::future::join_all;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};
use trunkline::api::ApiConfig;
use trunkline::api::nexmo::key_pair::KeyPair;
use trunkline::api::nexmo::public_key::PublicKey;
use trunkline_store::audit::By;
use trunkline_store::nexmo_secrets::ApiSecret;

use crate::nexmo::site::{API_KEY, Site, basic, claims, expect_accepted, expect_problem, keys, token};
use crate::support::{Answer, TestApp};

/// To the whole server.
async fn call(site: &Site, authorization: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = site.app.request(method, path).header(AUTHORIZATION, authorization);
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

fn with_webhooks(name: &str) -> Value {
    json!({
        "name": name,
        "capabilities": {"messages": {"webhooks": {
            "inbound_url": {"address": "https://shop.example/hooks/in", "http_method": "POST"},
            "status_url": {"address": "https://shop.example/hooks/st", "http_method": "POST"},
        }}},
    })
}

#[tokio::test]
async fn an_application_is_made_shown_changed_and_deleted() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let body = with_webhooks("Parcel alerts");
    let created = call(&site, &secret, Method::POST, "/v2/applications", Some(&body)).await;
    assert_eq!(created.header("x-nexmo-trace-id").unwrap().len(), 32);
    let created = created.expect(201);
    assert_eq!(created["capabilities"], body["capabilities"]);
    assert_eq!(created["name"], "Parcel alerts");
    let id = created["id"].as_str().unwrap();
    let private_pem = created["keys"]["private_key"].as_str().unwrap().to_owned();
    let public = PublicKey::parse(created["keys"]["public_key"].as_str().unwrap()).unwrap();
    let pair = KeyPair { public, private_pem };
    let path = format!("/v2/applications/{id}");
    let shown = call(&site, &secret, Method::GET, &path, None).await.expect(200);
    assert_eq!(shown["keys"], json!({"public_key": pair.public.to_pem()}));
    assert_eq!((&shown["id"], &shown["capabilities"]), (&json!(id), &body["capabilities"]));
    assert_eq!(call(&site, &secret, Method::GET, &format!("{path}/?"), None).await.expect(200), shown);
    let bearer = token(&pair, &claims(id.parse().unwrap(), json!({})));
    assert_eq!(expect_accepted(&site.call(&bearer).await)["application"], id);

    // Tokens are for sending.
    for (method, path) in [
        (Method::GET, "/v2/applications"),
        (Method::POST, "/v2/applications"),
        (Method::GET, path.as_str()),
        (Method::PUT, path.as_str()),
        (Method::DELETE, path.as_str()),
    ] {
        for wrong in [bearer.as_str(), &basic("ab001f09", "wrong"), &format!("Bearer {}", site.app.key())] {
            let answer = call(&site, wrong, method.clone(), path, Some(&body)).await;
            expect_problem(&answer, 401, "#unauthorized");
        }
    }

    let [other, _] = keys().await;
    let change = json!({"name": "Alerts"});
    let changed = call(&site, &secret, Method::PUT, &path, Some(&change)).await.expect(200);
    assert_eq!((&changed["name"], &changed["capabilities"]), (&json!("Alerts"), &json!({})));
    assert_eq!(changed["keys"], shown["keys"]);
    let change = json!({"name": "Alerts", "keys": {"public_key": other.public.to_pem()}});
    let changed = call(&site, &secret, Method::PUT, &path, Some(&change)).await.expect(200);
    assert_eq!(changed["keys"], json!({"public_key": other.public.to_pem()}));

    call(&site, &secret, Method::DELETE, &path, None).await.expect_empty(204);
    for method in [Method::DELETE, Method::GET, Method::PUT] {
        let answer = call(&site, &secret, method, &path, Some(&json!({"name": "x"}))).await;
        expect_problem(&answer, 404, "#not-found");
    }
}

#[tokio::test]
async fn an_application_of_another_account_is_as_one_that_does_not_exist() {
    let site = Site::start().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let other = site.other_account("other", "ffffffff").await;
    for path in [format!("/v2/applications/{id}"), "/v2/applications/nothing".to_owned()] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(&site, &other, method, &path, Some(&json!({"name": "x"}))).await;
            expect_problem(&answer, 404, "#not-found");
        }
    }
    let list = call(&site, &other, Method::GET, "/v2/applications", None).await.expect(200);
    assert_eq!(list["total_items"], 0);
    assert!(site.app.store().find_application(id).await.unwrap().is_some());
}

#[tokio::test]
async fn n_002_n_003_n_004_applications_are_listed_by_the_page() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let [key, _] = keys().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(site.new_application(key).await.to_string());
    }
    let list = async |path: &str| call(&site, &secret, Method::GET, path, None).await;
    for (path, page_size, page, expected) in [
        ("/v2/applications", 10, 1, &ids[..]),
        ("/v2/applications/", 10, 1, &ids[..]),
        ("/v2/applications?", 10, 1, &ids[..]),
        ("/v2/applications??page_size=1&sig=x", 10, 1, &ids[..]),
        ("/v2/applications?page_size=2", 2, 1, &ids[..2]),
        ("/v2/applications/?page_size=2&page=2&other=1", 2, 2, &ids[2..]),
        ("/v2/applications?page=2147483647&page_size=100", 100, 2_147_483_647, &[]),
    ] {
        let list = list(path).await.expect(200);
        let listed = list["_embedded"]["applications"].as_array().unwrap();
        let listed: Vec<&str> = listed.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(listed, expected, "{path}");
        assert_eq!((&list["page_size"], &list["page"]), (&json!(page_size), &json!(page)), "{path}");
        assert_eq!(list["total_items"], 3);
        assert_eq!(list["total_pages"], if page_size == 2 { 2 } else { 1 });
    }
    let answer = list("/v2/applications?page=0&page_size=101").await;
    let problem = expect_problem(&answer, 400, "#InvalidParams");
    assert_eq!(problem["detail"], "Found errors validating 2 of your submitted parameters.");
    let names: Vec<&Value> =
        problem["invalid_parameters"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["page_size", "page"]);
}

#[tokio::test]
async fn what_is_wrong_with_an_application_is_told_by_name() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let [key, _] = keys().await;
    let body = json!({"keys": {"public_key": key.private_pem}, "capabilities": {"messages": {"webhooks": {
        "status_url": {"address": "/hooks", "http_method": "GET"}}}}});
    let answer = call(&site, &secret, Method::POST, "/v2/applications", Some(&body)).await;
    let problem = expect_problem(&answer, 400, "https://www.nexmo.com/messages/Errors#InvalidParams");
    let invalid = problem["invalid_parameters"].as_array().unwrap();
    let names: Vec<&str> = invalid.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let webhook = "capabilities.messages.webhooks.status_url";
    assert_eq!(
        names,
        ["name", "keys.public_key", &format!("{webhook}.http_method"), &format!("{webhook}.address")]
    );
    assert!(invalid[1]["reason"].as_str().unwrap().contains("this is the private one"));
    assert!(!answer.text.contains("BEGIN PRIVATE"), "{answer:?}");
    let list = call(&site, &secret, Method::GET, "/v2/applications", None).await.expect(200);
    assert_eq!(list["total_items"], 0);
}

#[tokio::test]
async fn an_account_has_a_hundred_applications_at_most() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let pem = keys().await[0].public.to_pem();
    sqlx::query(
        "insert into applications (id, account_id, name, public_key)
         select gen_random_uuid(), $1, 'No. ' || n, $2
         from generate_series(1, 99) as n",
    )
    .bind(site.app.account().as_str())
    .bind(&pem)
    .execute(site.app.store().pool())
    .await
    .unwrap();
    let body = json!({"name": "The last", "keys": {"public_key": pem}});
    let create = async || call(&site, &secret, Method::POST, "/v2/applications", Some(&body)).await;
    // Of two at the same moment one is the hundredth.
    let (one, other) = tokio::join!(create(), create());
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    let made = made.expect(201);
    let problem = expect_problem(&refused, 400, "#InvalidParams");
    let reason = problem["invalid_parameters"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("the account has 100 already"), "{reason}");
    let path = format!("/v2/applications/{}", made["id"].as_str().unwrap());
    call(&site, &secret, Method::DELETE, &path, None).await.expect_status(204);
    create().await.expect_status(201);
    let other = site.other_account("other", "ffffffff").await;
    call(&site, &other, Method::POST, "/v2/applications", Some(&body)).await.expect_status(201);
}

#[tokio::test]
async fn administering_takes_of_the_requests_that_the_key_has() {
    let config = ApiConfig { nexmo_rate: NonZeroU32::new(1), ..ApiConfig::default() };
    let app = TestApp::start_with(config).await;
    app.store().ensure_nexmo_account(app.account(), API_KEY, &By::trunkline()).await.unwrap().unwrap();
    let secret = ApiSecret::from_random(rand::random());
    app.store().add_secret(app.account(), &secret, &By::trunkline()).await.unwrap();
    let authorization = basic(API_KEY, secret.reveal());
    let list = || {
        let request = app.request(Method::GET, "/v2/applications");
        Answer::of(request.header(AUTHORIZATION, &authorization))
    };
    let answers = join_all([list(), list(), list()]).await;
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    expect_problem(refused, 429, "api-errors/messages-olympus#1000");
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
}
