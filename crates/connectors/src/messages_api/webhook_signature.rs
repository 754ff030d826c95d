//! The signature of a webhook (spec 9.7): a token in the `Authorization` header, HS256 with the
//! account's signature secret, that names the hash of the body.
//!
//! We sign what we send to customers, and check what the provider sends to us. There is no list of
//! tokens that were seen: a token is bound to its body, and a body that comes twice is dropped as a
//! duplicate.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::json_web_token::{read_with_secret, sign_with_secret};

const ISSUER: &str = "Vonage";

/// How far two clocks may be apart, in seconds (spec U26).
const SKEW: i64 = 60;

/// How old a token may be that does not say when it expires, in seconds: a webhook is repeated for
/// a day (spec 9.6), and not every sender makes a new token for each attempt.
const MAX_AGE: i64 = 86_400;

/// Many times the size of a token with all claims; longer ones are not worth a hash.
const MAX_TOKEN_LENGTH: usize = 8 * 1024;

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    jti: Uuid,
    iss: &'static str,
    payload_hash: String,
    api_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<&'a str>,
}

/// What a genuine signature says besides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookClaims {
    iat: i64,
    exp: Option<i64>,
    nbf: Option<i64>,
    payload_hash: Option<String>,
    pub api_key: Option<String>,
    pub application_id: Option<String>,
    pub jti: Option<String>,
}

/// Why a webhook is not believed. For the log: the caller is not told which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    #[error("the `Authorization` header is not a bearer token")]
    NoToken,
    #[error("the token is not signed with the signature secret")]
    NotSigned,
    #[error("the token is from another time; compare the clocks")]
    WrongTime,
    #[error("the token names no hash of the body")]
    NoHash,
    #[error("the token was signed for another body")]
    OtherBody,
}

/// The token that goes behind `Bearer ` in the `Authorization` header. `body` is the bytes as they
/// are sent; every attempt takes a new `now` and `jti`. `application_id` only where an application
/// was used.
pub fn sign_webhook(
    secret: &str,
    api_key: &str,
    application_id: Option<&str>,
    body: &[u8],
    now: DateTime<Utc>,
    jti: Uuid,
) -> String {
    let claims = Claims {
        iat: now.timestamp(),
        jti,
        iss: ISSUER,
        payload_hash: payload_hash(body),
        api_key,
        application_id,
    };
    sign_with_secret(&claims, secret)
}

/// What can be said before the body is there: whether the token is one of somebody who knows the
/// secret. It vouches for one body only ([`WebhookClaims::verify_body`]). `authorization` is the whole
/// value of the header. Nothing is genuine under an empty secret.
pub fn verify_webhook_token(
    secret: &str,
    authorization: &str,
    now: DateTime<Utc>,
) -> Result<WebhookClaims, SignatureFault> {
    let (scheme, token) = authorization.trim().split_once(' ').ok_or(SignatureFault::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(SignatureFault::NoToken);
    }
    let token = token.trim();
    if secret.is_empty() || token.len() > MAX_TOKEN_LENGTH {
        return Err(SignatureFault::NotSigned);
    }
    let claims: WebhookClaims = read_with_secret(token, secret).ok_or(SignatureFault::NotSigned)?;
    if claims.is_of(now.timestamp()) { Ok(claims) } else { Err(SignatureFault::WrongTime) }
}

impl WebhookClaims {
    /// Whether the token was made for this body, the bytes as they came.
    pub fn verify_body(&self, body: &[u8]) -> Result<(), SignatureFault> {
        let hash = self.payload_hash.as_deref().ok_or(SignatureFault::NoHash)?;
        if same_in_constant_time(hash.to_ascii_lowercase().as_bytes(), payload_hash(body).as_bytes()) {
            Ok(())
        } else {
            Err(SignatureFault::OtherBody)
        }
    }

    /// Saturating: the numbers are whatever the sender wrote.
    fn is_of(&self, now: i64) -> bool {
        let begins = self.nbf.map_or(self.iat, |nbf| nbf.max(self.iat));
        let ends = self.exp.unwrap_or(self.iat.saturating_add(MAX_AGE));
        now >= begins.saturating_sub(SKEW) && now <= ends.saturating_add(SKEW)
    }
}

fn payload_hash(body: &[u8]) -> String {
    format!("{:x}", Sha256::digest(body))
}

fn same_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests;
