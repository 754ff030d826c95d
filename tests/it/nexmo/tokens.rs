//! Tokens that applications sign.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use ring::hmac;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256};
use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::Standing;
use uuid::Uuid;

use crate::nexmo::site::{
    API_KEY, Site, claims, expect_accepted, expect_problem, keys, now, rsa, sign, token,
};
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
    let public = key.public.to_pem();
    let confused = |signed: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
        hmac::sign(&key, signed).as_ref().to_vec()
    };
    let rs256 = |signed: &[u8]| rsa(key, &RSA_PKCS1_SHA256, signed);
    let alg = |name: &str| json!({"alg": name, "typ": "JWT"});
    let brought = json!({"alg": "RS256", "typ": "JWT", "kid": "1", "jku": "http://127.0.0.1:1/keys",
        "x5u": "http://127.0.0.1:1/chain.pem", "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}});
    let signed = token(key, &good);
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let other_payload = token(key, &claims(id, json!({"sub": "x"})));
    let other_payload = other_payload.split('.').nth(1).unwrap();
    let long = json!({"alg": "RS256", "x5c": ["x".repeat(60_000)]});
    for (attack, forged) in [
        ("none", sign(&alg("none"), &good, |_| Vec::new())),
        ("None", sign(&alg("None"), &good, |_| Vec::new())),
        ("NONE, and signed", sign(&alg("NONE"), &good, rs256)),
        ("HS256 by the public key", sign(&alg("HS256"), &good, confused)),
        ("HS256 by the public key that says RS256", sign(&alg("RS256"), &good, confused)),
        ("RS384", sign(&alg("RS384"), &good, |signed| rsa(key, &RSA_PKCS1_SHA384, signed))),
        ("RS384 that says RS256", sign(&alg("RS256"), &good, |signed| rsa(key, &RSA_PKCS1_SHA384, signed))),
        ("PS256", sign(&alg("PS256"), &good, |signed| rsa(key, &RSA_PSS_SHA256, signed))),
        ("a key brought along", sign(&brought, &good, |signed| rsa(other, &RSA_PKCS1_SHA256, signed))),
        ("another application's key", token(other, &good)),
        ("another application", token(key, &claims(others, json!({})))),
        ("no application", token(key, &claims(Uuid::new_v4(), json!({})))),
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        ("four parts", format!("{head}.{payload}.{signature}")),
        ("four parts, the last one empty", format!("{signed}.")),
        ("a cut signature", format!("{head}.{}", &signature[1..])),
        ("padding", format!("{signed}==")),
        ("garbage behind it", format!("{signed}x")),
        ("more words behind it", format!("{signed} x")),
        ("another payload", format!("{header}.{other_payload}.{signature}")),
        ("a header of 60 KB", sign(&long, &good, rs256)),
        ("claims of 60 KB", token(key, &claims(id, json!({"sub": "x".repeat(60_000)})))),
    ] {
        let answer = site.call(&forged).await;
        let body = expect_problem(&answer, 401, "#unauthorized");
        // Nobody is told what was wrong with it.
        assert_eq!(body["detail"], "You did not provide correct credentials.", "{attack}");
        assert!(answer.header("www-authenticate").is_some(), "{attack}");
    }
    expect_accepted(&site.call(&sign(&brought, &good, rs256)).await);
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
    assert!(store.rotate_application_key(id, &new.public.to_pem(), &By::trunkline()).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_old).await, 401, "#unauthorized");
    expect_accepted(&site.call(&by_new).await);

    assert!(store.set_application_standing(id, Standing::Suspended, &By::trunkline()).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_new).await, 403, "#application-suspended");
    expect_problem(&site.call(&by_old).await, 401, "#unauthorized");

    assert!(store.delete_application(site.app.account(), id, &By::trunkline()).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&by_new).await, 401, "#unauthorized");
    assert!(!store.rotate_application_key(id, "x", &By::trunkline()).await.unwrap());
    assert!(!store.set_application_standing(id, Standing::Active, &By::trunkline()).await.unwrap());
}
