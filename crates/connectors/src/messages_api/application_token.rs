//! A token that an application signs with its private key, by RS256, as `Authorization: Bearer` has it: what it says.
//! Whether the signature is good is for whoever has the key.
//!
//! The header chooses nothing: the algorithm must be this one, and the key is the application's, whatever key or
//! address of a key the token brings along. Whatever two readers could understand differently (members that occur
//! twice, other spellings of the same bytes) is no token.

mod acl;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use trunkline_workflow::strict_json;
use uuid::Uuid;

use acl::Acl;

/// Many times the length of a client's; what is longer is not worth decoding.
const LONGEST: usize = 8 * 1024;

/// Seconds that clocks may differ by.
const SKEW: i64 = 60;
/// Seconds that a token without `exp` is good for.
const LIFETIME: i64 = 900;
const SHORTEST_LIFE: i64 = 30;
const LONGEST_LIFE: i64 = 86_400;

/// A token whose signature nobody has looked at. What it says of itself is good for finding the key.
#[derive(Debug)]
pub struct ApplicationToken<'a> {
    signed: &'a str,
    signature: &'a str,
    claims: Claims,
}

/// Why a token is not good now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    #[error("the token is not good yet, or for no time that a token may have")]
    WrongTime,
    #[error("the token has expired")]
    Expired,
}

#[derive(Debug)]
struct Claims {
    application: Uuid,
    issued_at: i64,
    expires_at: Option<i64>,
    not_before: Option<i64>,
    acl: Option<Acl>,
}

impl<'a> ApplicationToken<'a> {
    /// `None`: it is no token of this kind.
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if !is_taken(&read_part(header)?) {
            return None;
        }
        Some(Self { signed, signature, claims: Claims::read(&read_part(claims)?)? })
    }

    /// Which application says that it signed.
    pub fn application(&self) -> Uuid {
        self.claims.application
    }

    /// What was signed.
    pub fn signed(&self) -> &'a [u8] {
        self.signed.as_bytes()
    }

    /// `None`: there is none that could be one.
    pub fn signature(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.signature).ok()
    }

    /// `now` in seconds since 1970.
    pub fn check_times(&self, now: i64) -> Result<(), TokenFault> {
        self.claims.check_times(now)
    }

    /// Whether the token allows this path.
    pub fn covers(&self, path: &str) -> bool {
        self.claims.acl.as_ref().is_none_or(|acl| acl.covers(path))
    }
}

fn read_part(part: &str) -> Option<Map<String, Value>> {
    strict_json::read_object(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// `crit` names extensions that whoever does not know them must refuse; we know none.
fn is_taken(header: &Map<String, Value>) -> bool {
    let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    header.get("alg").is_some_and(|alg| alg == "RS256")
        && header.get("typ").is_none_or(is_jwt)
        && !header.contains_key("crit")
}

impl Claims {
    /// `None`: one is missing or of the wrong type.
    fn read(claims: &Map<String, Value>) -> Option<Self> {
        let application = claims.get("application_id")?.as_str()?;
        claims.get("jti")?.as_str().filter(|id| !id.is_empty())?;
        Some(Self {
            application: Uuid::try_parse(application).ok()?,
            issued_at: claims.get("iat")?.as_i64()?,
            expires_at: optional(claims.get("exp"), Value::as_i64)?,
            not_before: optional(claims.get("nbf"), Value::as_i64)?,
            acl: optional(claims.get("acl"), Acl::read)?,
        })
    }

    fn check_times(&self, now: i64) -> Result<(), TokenFault> {
        let life = match self.expires_at {
            Some(expires_at) => expires_at.saturating_sub(self.issued_at),
            None => LIFETIME,
        };
        let is_early = |from: i64| now < from.saturating_sub(SKEW);
        if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&life)
            || is_early(self.issued_at)
            || self.not_before.is_some_and(is_early)
        {
            return Err(TokenFault::WrongTime);
        }
        if now > self.issued_at.saturating_add(life + SKEW) {
            return Err(TokenFault::Expired);
        }
        Ok(())
    }
}

/// `None`: it is there, and not what it should be.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn optional<T>(claim: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match claim {
        None => Some(None),
        Some(claim) => read(claim).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn token(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    fn claims(changes: &Value) -> Value {
        let mut claims = json!({"application_id": Uuid::nil(), "iat": NOW, "jti": "1"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    #[test]
    fn n_021_other_algorithms_are_refused_before_any_key_is_looked_at() {
        let good = claims(&json!({}));
        for header in [
            json!({"alg": "RS256", "typ": "JWT"}),
            json!({"alg": "RS256"}),
            json!({"typ": "jwt", "alg": "RS256", "kid": "1"}),
        ] {
            assert!(ApplicationToken::read(&token(&header, &good)).is_some(), "{header}");
        }
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "None", "typ": "JWT"}),
            json!({"alg": "HS256", "typ": "JWT"}),
            json!({"alg": "RS512", "typ": "JWT"}),
            json!({"alg": "rs256"}),
            json!({"alg": ["RS256"]}),
            json!({"typ": "JWT"}),
            json!({"alg": "RS256", "typ": "JWE"}),
            json!({"alg": "RS256", "typ": 1}),
            json!({"alg": "RS256", "crit": ["b64"], "b64": false}),
            json!([]),
        ] {
            assert!(ApplicationToken::read(&token(&header, &good)).is_none(), "{header}");
        }
        for text in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d"] {
            assert!(ApplicationToken::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn n_024_claims_are_there_and_of_their_type() {
        let header = json!({"alg": "RS256"});
        for good in [
            json!({}),
            json!({"exp": NOW + 30, "nbf": NOW, "sub": 7, "acl": {"paths": {"/**": {}}}}),
            json!({"application_id": "3F0C1F5E-6A0E-4C55-9A53-0D7C9C0B1A11"}),
        ] {
            assert!(ApplicationToken::read(&token(&header, &claims(&good))).is_some(), "{good}");
        }
        for bad in [
            json!({"application_id": null}),
            json!({"application_id": "x"}),
            json!({"application_id": 1}),
            json!({"iat": null}),
            json!({"iat": NOW.to_string()}),
            json!({"iat": 1.7e9}),
            json!({"iat": 1_700_000_000.5}),
            json!({"iat": u64::MAX}),
            json!({"jti": ""}),
            json!({"jti": 1}),
            json!({"jti": null}),
            json!({"exp": (NOW + 100).to_string()}),
            json!({"exp": null}),
            json!({"nbf": "0"}),
            json!({"acl": []}),
            json!({"acl": null}),
        ] {
            assert!(ApplicationToken::read(&token(&header, &claims(&bad))).is_none(), "{bad}");
        }
        for missing in ["application_id", "iat", "jti"] {
            let mut claims = claims(&json!({}));
            claims.as_object_mut().unwrap().remove(missing);
            assert!(ApplicationToken::read(&token(&header, &claims)).is_none(), "{missing}");
        }
    }

    #[test]
    fn n_018_n_019_n_025_a_token_is_good_for_a_while() {
        let header = json!({"alg": "RS256"});
        let check = |changes: &Value| {
            let token = token(&header, &claims(changes));
            match ApplicationToken::read(&token).unwrap().check_times(NOW) {
                Ok(()) => "good",
                Err(TokenFault::Expired) => "expired",
                Err(TokenFault::WrongTime) => "refused",
            }
        };
        for (changes, verdict) in [
            (json!({}), "good"),
            (json!({"iat": NOW - 960}), "good"),
            (json!({"iat": NOW - 961}), "expired"),
            (json!({"iat": NOW + 60}), "good"),
            (json!({"iat": NOW + 61}), "refused"),
            (json!({"iat": NOW + 600}), "refused"),
            (json!({"exp": NOW + 86_400}), "good"),
            (json!({"exp": NOW + 86_401}), "refused"),
            (json!({"exp": NOW + 90_000}), "refused"),
            (json!({"exp": NOW + 30}), "good"),
            (json!({"exp": NOW + 29}), "refused"),
            (json!({"exp": NOW + 10}), "refused"),
            (json!({"exp": NOW - 10}), "refused"),
            (json!({"iat": NOW - 86_400, "exp": NOW}), "good"),
            (json!({"iat": NOW - 100, "exp": NOW - 60}), "good"),
            (json!({"iat": NOW - 100, "exp": NOW - 61}), "expired"),
            (json!({"nbf": NOW + 60}), "good"),
            (json!({"nbf": NOW + 61}), "refused"),
            (json!({"iat": i64::MIN, "exp": i64::MAX}), "refused"),
            (json!({"iat": i64::MIN}), "expired"),
            (json!({"iat": i64::MAX}), "refused"),
        ] {
            assert_eq!(check(&changes), verdict, "{changes}");
        }
    }
}
