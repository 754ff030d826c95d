//! Tokens that applications sign.

use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use trunkline_store::nexmo_accounts::Standing;
use uuid::Uuid;

use crate::nexmo::site::{API_KEY, Site, claims, expect_accepted, expect_problem, keys, now, sign, token};
use crate::support::Answer;

#[tokio::test]
async fn n_017_n_020_a_token_as_the_official_client_makes_it_is_taken_and_taken_again() {
    let site = Site::start().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let bearer = token(key, &claims(id, json!({})));
    for _ in 0..2 {
        let told = expect_accepted(&site.call(&bearer).await);
        assert_eq!(told, json!({"account": "acme", "api_key": API_KEY, "application": id, "body": {}}));
    }
    expect_accepted(&site.call(&bearer.replace("Bearer", "bearer")).await);
}

#[tokio::test]
async fn n_018_n_019_n_024_n_025_claims_and_times_are_checked() {
    let site = Site::start().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let now = now();
    for (changes, status, of_type) in [
        (json!({"iat": now - 16 * 60 - 5}), 401, "#jwt-expired"),
        (json!({"iat": now - 1000, "exp": now - 100}), 401, "#jwt-expired"),
        (json!({"iat": now - 16 * 60 - 5, "exp": now + 100}), 202, ""),
        (json!({"exp": now + 86_400}), 202, ""),
        (json!({"iat": now, "exp": now + 90_000}), 401, "#unauthorized"),
        (json!({"iat": now, "exp": now + 10}), 401, "#unauthorized"),
        (json!({"jti": null}), 401, "#unauthorized"),
        (json!({"iat": null}), 401, "#unauthorized"),
        (json!({"application_id": null}), 401, "#unauthorized"),
        (json!({"iat": now.to_string()}), 401, "#unauthorized"),
        (json!({"iat": now + 600}), 401, "#unauthorized"),
        (json!({"nbf": now + 600}), 401, "#unauthorized"),
        (json!({"nbf": now, "sub": "user"}), 202, ""),
    ] {
        // The day of the token begins when it was made: clocks go on meanwhile.
        let iat = changes.get("iat").cloned().unwrap_or_else(|| now.into());
        let mut claims = claims(id, changes.clone());
        if !iat.is_null() {
            claims["iat"] = iat;
        }
        let answer = site.call(&token(key, &claims)).await;
        if status == 202 {
            expect_accepted(&answer);
        } else {
            expect_problem(&answer, status, of_type);
        }
    }
}

#[tokio::test]
async fn n_021_n_022_n_023_only_the_applications_own_rs256_key_signs() {
    let site = Site::start().await;
    let [key, other] = keys().await;
    let (id, others) = (site.new_application(key).await, site.new_application(other).await);
    let good = claims(id, json!({}));
    let public = EncodingKey::from_secret(key.public.to_pem().as_bytes());
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    let none = |signature: &str| {
        let header = json!({"alg": "none", "typ": "JWT"});
        let unsigned = sign(&header, &good, &public, Algorithm::HS256);
        format!("{}.{signature}", unsigned.rsplit_once('.').unwrap().0)
    };
    let signed = token(key, &good);
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let mine_by_other = token(other, &good);
    for forged in [
        sign(&hs256, &good, &public, Algorithm::HS256),
        sign(&json!({"alg": "RS256"}), &good, &public, Algorithm::HS256),
        none(""),
        none(signature),
        mine_by_other,
        token(key, &claims(others, json!({}))),
        token(key, &claims(Uuid::new_v4(), json!({}))),
        format!("{head}."),
        head.to_owned(),
        format!("{head}.{}", &signature[1..]),
        format!("{}.{signature}", token(key, &claims(id, json!({"sub": "x"}))).rsplit_once('.').unwrap().0),
    ] {
        expect_problem(&site.call(&forged).await, 401, "#unauthorized");
    }
    expect_accepted(&site.call(&signed).await);
}

#[tokio::test]
async fn n_026_an_acl_covers_the_path_or_the_call_is_forbidden() {
    let site = Site::start().await;
    let [key, _] = keys().await;
    let id = site.new_application(key).await;
    let acl = |paths: Value| token(key, &claims(id, json!({"acl": {"paths": paths}})));
    expect_problem(&site.call(&acl(json!({"/*/users/**": {}}))).await, 403, "#forbidden");
    expect_problem(&site.call(&acl(json!({}))).await, 403, "#forbidden");
    expect_accepted(&site.call(&acl(json!({"/*/users/**": {}, "/*/dispatch/**": {}}))).await);
    let elsewhere = site.request(Method::POST, "/beta/workflows/?x=/v0.1/dispatch");
    let elsewhere = elsewhere.header(CONTENT_TYPE, "application/json").body("{}");
    let answer = Answer::of(elsewhere.header(AUTHORIZATION, acl(json!({"/*/dispatch/**": {}})))).await;
    expect_problem(&answer, 403, "#forbidden");
    let wrong = token(key, &claims(id, json!({"acl": ["/**"]})));
    expect_problem(&site.call(&wrong).await, 401, "#unauthorized");
}

#[tokio::test]
async fn a_rotated_key_and_a_suspended_or_deleted_application_are_refused() {
    let mut site = Site::start().await;
    let [old, new] = keys().await;
    let id = site.new_application(old).await;
    let [by_old, by_new] = [old, new].map(|key| token(key, &claims(id, json!({}))));
    expect_accepted(&site.call(&by_old).await);
    let store = site.app.store().clone();
    assert!(store.rotate_application_key(id, &new.public.to_pem()).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_old).await, 401, "#unauthorized");
    expect_accepted(&site.call(&by_new).await);

    assert!(store.set_application_standing(id, Standing::Suspended).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_new).await, 403, "#application-suspended");
    expect_problem(&site.call(&by_old).await, 401, "#unauthorized");

    assert!(store.delete_application(site.app.account(), id).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_new).await, 401, "#unauthorized");
    assert!(!store.rotate_application_key(id, "x").await.unwrap());
    assert!(!store.set_application_standing(id, Standing::Active).await.unwrap());
}
