//! One credential in one header.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::Standing;

use crate::nexmo::site::{API_KEY, Site, basic, claims, expect_accepted, expect_problem, keys, token};
use crate::support::Answer;

#[tokio::test]
async fn n_014_only_the_right_secret_opens_and_strangers_learn_nothing() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let told = expect_accepted(&site.call(&secret).await);
    assert_eq!(told, json!({"account": "acme", "api_key": API_KEY, "application": null, "body": {}}));
    expect_accepted(&site.call(&secret.replace("Basic", "bASIC")).await);
    let mut said = Vec::new();
    for wrong in [
        basic(API_KEY, "wrong"),
        basic("ffffffff", "wrong"),
        basic("", ""),
        basic(API_KEY, ""),
        basic("ab\0", "x"),
        basic(&"a".repeat(10_000), "x"),
        "Basic !".to_owned(),
        "Basic".to_owned(),
        "Digest x".to_owned(),
        "Bearer x".to_owned(),
        "ü".to_owned(),
    ] {
        let answer = site.call(&wrong).await;
        let mut problem = expect_problem(&answer, 401, "#unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"Trunkline\", Bearer"));
        problem["instance"] = json!(null);
        said.push(problem);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0]["detail"], "You did not provide correct credentials.");
}

#[tokio::test]
async fn n_016_n_027_a_credential_stands_in_the_header_or_nowhere() {
    let site = Site::start().await;
    expect_problem(&Answer::of(site.dispatch()).await, 401, "#unauthorized");
    let path = format!("/v0.1/dispatch?api_key={API_KEY}&api_secret=x");
    let request = site.request(Method::POST, &path).header(CONTENT_TYPE, "application/json").body("{}");
    expect_problem(&Answer::of(request).await, 401, "#unauthorized");
}

#[tokio::test]
async fn two_credentials_are_too_many() {
    let site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let bearer = token(key, &claims(id, json!({})));
    let twice = site.dispatch().header(AUTHORIZATION, &secret).header(AUTHORIZATION, &bearer);
    expect_problem(&Answer::of(twice).await, 401, "#multiple-auth-methods");
    expect_problem(&site.call(&format!("{secret}, {bearer}")).await, 401, "#multiple-auth-methods");
}

#[tokio::test]
async fn a_suspended_account_is_refused_however_it_calls() {
    let mut site = Site::start().await;
    let (_, secret) = site.new_secret().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let bearer = token(key, &claims(id, json!({})));
    let store = site.app.store().clone();
    assert!(
        store.set_account_standing(site.app.account(), Standing::Suspended, &By::trunkline()).await.unwrap()
    );
    for credential in [&secret, &bearer] {
        expect_problem(&site.call(credential).await, 403, "#account-suspended");
    }
    // Who does not know a secret does not learn of it.
    expect_problem(&site.call(&basic(API_KEY, "wrong")).await, 401, "#unauthorized");
    assert!(
        store.set_account_standing(site.app.account(), Standing::Active, &By::trunkline()).await.unwrap()
    );
    site.forget().await;
    for credential in [&secret, &bearer] {
        expect_accepted(&site.call(credential).await);
    }
}
