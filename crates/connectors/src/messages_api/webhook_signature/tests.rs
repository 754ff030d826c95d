//! Tokens of any kind, made here; that signatures are what other programs make of them is shown beside
//! [`crate::messages_api::json_web_token`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::hmac;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{SignatureFault, payload_hash, same_in_constant_time, sign_webhook, verify_webhook_token};
use crate::messages_api::read_timestamp::read_timestamp;

const SECRET: &str = "the signature secret";
const JTI: Uuid = uuid!("0d9c2f60-0000-4a2b-9d3e-5b1f0a7c8e21");
const BODY: &[u8] = r#"{"status":"delivered","text":"Grüße 😀"}"#.as_bytes();

fn now() -> DateTime<Utc> {
    read_timestamp("2024-05-04T10:11:12.345Z").unwrap()
}

/// A token with any header and claims, signed by ring.
fn token(secret: &str, header: &Value, claims: &Value) -> String {
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string().as_bytes())).join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn claims_at(iat: i64) -> Value {
    json!({"iat": iat, "jti": "j-1", "iss": "Vonage", "payload_hash": payload_hash(BODY), "api_key": "abcd1234"})
}

fn verify(authorization: &str) -> Result<super::WebhookClaims, SignatureFault> {
    let claims = verify_webhook_token(SECRET, authorization, now())?;
    claims.verify_body(BODY)?;
    Ok(claims)
}

#[test]
fn n_077_a_webhook_is_signed_with_the_secret_and_the_hash_of_its_body() {
    let token = sign_webhook(SECRET, "abcd1234", Some("app-1"), BODY, now(), JTI);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let parts: Vec<Value> = signed
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, BODY);
    let hash = parts[1]["payload_hash"].as_str().unwrap();
    assert_eq!(format!("SHA256:{hash}"), format!("{digest:?}"), "lower-case digits");
    assert_eq!(parts[0], json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(
        parts[1],
        json!({"iat": 1_714_817_472, "jti": JTI, "iss": "Vonage", "payload_hash": hash, "api_key": "abcd1234",
            "application_id": "app-1"})
    );
}

#[test]
fn without_an_application_there_is_no_claim_of_one() {
    let token = sign_webhook(SECRET, "abcd1234", None, BODY, now(), JTI);
    let claims = verify(&format!("Bearer {token}")).unwrap();
    assert_eq!((claims.api_key.as_deref(), claims.application_id), (Some("abcd1234"), None));
    assert_eq!(claims.jti, Some(JTI.to_string()));
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    assert!(!String::from_utf8(claims).unwrap().contains("application_id"));
}

#[test]
fn what_we_sign_and_what_others_sign_is_believed() {
    let ours = sign_webhook(SECRET, "abcd1234", Some("app-1"), BODY, now(), JTI);
    assert_eq!(verify(&format!("bearer  {ours} ")).unwrap().application_id.as_deref(), Some("app-1"));
    let iat = now().timestamp();
    let mut claims = claims_at(iat);
    claims.as_object_mut().unwrap().remove("iss");
    claims["payload_hash"] = json!(payload_hash(BODY).to_uppercase());
    claims["aud"] = json!("somebody");
    assert!(verify(&token(SECRET, &hs256(), &claims)).is_ok(), "who issued it does not matter");
}

#[test]
fn what_is_not_signed_with_the_secret_is_not_believed() {
    let iat = now().timestamp();
    let good = token(SECRET, &hs256(), &claims_at(iat));
    assert!(verify(&good).is_ok());
    let unsigned = token(SECRET, &json!({"alg": "none", "typ": "JWT"}), &claims_at(iat));
    let cut = good.rsplit_once('.').unwrap().0;
    let mut other_claims = claims_at(iat);
    other_claims["api_key"] = json!("x");
    let claims = URL_SAFE_NO_PAD.encode(other_claims.to_string());
    let (header, signature) = (cut.split_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
    let padded = json!({"iat": iat, "payload_hash": payload_hash(BODY), "x": "x".repeat(8 * 1024)});
    for forged in [
        token("another secret", &hs256(), &claims_at(iat)),
        token(SECRET, &json!({"alg": "RS256", "typ": "JWT"}), &claims_at(iat)),
        token(SECRET, &json!({"alg": "HS512", "typ": "JWT"}), &claims_at(iat)),
        format!("{}.", unsigned.rsplit_once('.').unwrap().0),
        unsigned,
        cut.to_owned(),
        format!("{cut}."),
        format!("{header}.{claims}.{signature}"),
        token(SECRET, &hs256(), &padded),
        token(SECRET, &hs256(), &json!({"iat": iat.to_string(), "payload_hash": payload_hash(BODY)})),
        token(SECRET, &hs256(), &json!({"payload_hash": payload_hash(BODY)})),
        "Bearer a.b.c".to_owned(),
    ] {
        assert_eq!(verify(&forged), Err(SignatureFault::NotSigned), "{forged}");
    }
    for none in ["", "Bearer", "Basic YTpi", &good["Bearer ".len()..]] {
        assert_eq!(verify(none), Err(SignatureFault::NoToken), "{none}");
    }
    let empty = token("", &hs256(), &claims_at(iat));
    assert_eq!(verify_webhook_token("", &empty, now()), Err(SignatureFault::NotSigned));
}

#[test]
fn a_token_belongs_to_one_body() {
    let iat = now().timestamp();
    let authorization = token(SECRET, &hs256(), &claims_at(iat));
    let other = [BODY, b" "].concat();
    for body in [other.as_slice(), b""] {
        let claims = verify_webhook_token(SECRET, &authorization, now()).unwrap();
        assert_eq!(claims.verify_body(body), Err(SignatureFault::OtherBody));
    }
    assert_eq!(verify(&token(SECRET, &hs256(), &json!({"iat": iat}))), Err(SignatureFault::NoHash));
}

#[test]
fn a_token_belongs_to_its_time() {
    let now = now().timestamp();
    let with = |iat: i64, name: &str, value: i64| {
        let mut claims = claims_at(iat);
        claims[name] = json!(value);
        claims
    };
    for (claims, believed) in [
        (claims_at(now + 60), true),
        (claims_at(now + 61), false),
        (claims_at(now - 86_400), true),
        (claims_at(now - 86_461), false),
        (with(now - 900, "exp", now - 60), true),
        (with(now - 900, "exp", now - 61), false),
        (with(now, "nbf", now + 60), true),
        (with(now, "nbf", now + 61), false),
        (claims_at(i64::MAX), false),
        (claims_at(i64::MIN), false),
    ] {
        let verdict = verify(&token(SECRET, &hs256(), &claims));
        let expected = if believed { None } else { Some(SignatureFault::WrongTime) };
        assert_eq!(verdict.err(), expected, "{claims}");
    }
}

#[test]
fn hashes_are_the_same_only_when_every_byte_is() {
    for (one, other, same) in [("", "", true), ("ab", "ab", true), ("ab", "ac", false), ("ab", "a", false)] {
        assert_eq!(same_in_constant_time(one.as_bytes(), other.as_bytes()), same);
    }
}
