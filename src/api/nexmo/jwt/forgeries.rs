//! Tokens that somebody made up, and good ones that somebody changed. The clock is handed in.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::Token;
use crate::api::nexmo::key_pair::KeyPair;
use crate::api::nexmo::problem::Problem;
use crate::api::nexmo::public_key::Verifier;

const NOW: i64 = 1_700_000_000;
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;
const APPLICATION: &str = "3f0c1f5e-6a0e-4c55-9a53-0d7c9c0b1a11";

/// What becomes of a request with this token, if the application has this key.
fn verdict(token: &str, key: &Verifier) -> &'static str {
    let Some(token) = Token::read(token) else { return "no token" };
    if !token.is_signed_by(key) {
        return "not signed";
    }
    match token.check_times(NOW) {
        Ok(()) => "good",
        Err(Problem::JwtExpired) => "expired",
        Err(_) => "of another time",
    }
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// The claims of the official client, behind these.
fn claims_with(members: &str) -> String {
    format!(r#"{{{members}"iat":{NOW},"jti":"1","application_id":"{APPLICATION}"}}"#)
}

struct Signer {
    key: RsaKeyPair,
    verifier: Verifier,
    public_pem: String,
}

impl Signer {
    async fn new() -> Self {
        let pair = KeyPair::generate().await;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pair.private_pem.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        Self { key, verifier: pair.public.verifier(), public_pem: pair.public.to_pem() }
    }

    fn sign_by(&self, algorithm: &'static dyn RsaEncoding, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(algorithm, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_by(&RSA_PKCS1_SHA256, header, claims)
    }

    fn verdict(&self, token: &str) -> &'static str {
        verdict(token, &self.verifier)
    }
}

fn sign_with_secret(secret: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

/// The header's members that say where a key is to be found.
fn keys_brought_along() -> [String; 6] {
    [
        r#""jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#""jku":"https://attacker.example/keys""#,
        r#""x5u":"https://attacker.example/chain.pem""#,
        r#""x5c":["MIIB"]"#,
        r#""kid":"../../../../dev/null""#,
        r#""kid":"x' union select 'secret""#,
    ]
    .map(|member| format!(r#"{{"alg":"RS256","typ":"JWT",{member}}}"#))
}

#[tokio::test]
async fn n_021_the_header_chooses_neither_the_algorithm_nor_the_key() {
    let (mine, other) = (Signer::new().await, Signer::new().await);
    let claims = claims_with("");
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", "null", "HS256", "HS384", "HS512", "RS384", "RS512", "PS256",
        "ES256", "ES256K", "EdDSA", "rs256", "Rs256", "RS256 ", " RS256", "RS-256", "RSA256",
    ] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
        let signed = mine.sign(&header, &claims);
        assert_eq!(mine.verdict(&signed), "no token", "{header}");
        let unsigned = format!("{}.", signed.rsplit_once('.').unwrap().0);
        assert_eq!(mine.verdict(&unsigned), "no token", "{header}, unsigned");
    }
    for header in [
        "{}",
        "[]",
        "null",
        r#""RS256""#,
        r#"{"alg":null}"#,
        r#"{"alg":256}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"none","alg":"RS256"}"#,
        r#"{"alg":"none","\u0061lg":"RS256"}"#,
        r#"{"Alg":"RS256"}"#,
        r#"{"alg":"RS256","typ":null}"#,
        r#"{"alg":"RS256","typ":"JOSE"}"#,
        r#"{"alg":"RS256","crit":null}"#,
        r#"{"alg":"RS256","crit":["exp"]}"#,
        r#"{"alg":"RS256"}x"#,
        r#"{"alg":"RS256"}{}"#,
        "{\"alg\":\"RS256\"}\0",
        "\u{feff}{\"alg\":\"RS256\"}",
    ] {
        assert_eq!(mine.verdict(&mine.sign(header, &claims)), "no token", "{header}");
    }
    for header in keys_brought_along() {
        assert_eq!(mine.verdict(&other.sign(&header, &claims)), "not signed", "{header}");
        assert_eq!(mine.verdict(&mine.sign(&header, &claims)), "good", "{header}");
    }

    let pem = mine.public_pem.as_bytes();
    let der = mine.verifier.as_ref();
    for secret in [pem, pem.trim_ascii(), der, b""] {
        let confused = sign_with_secret(secret, r#"{"alg":"HS256","typ":"JWT"}"#, &claims);
        assert_eq!(mine.verdict(&confused), "no token");
        assert_eq!(mine.verdict(&sign_with_secret(secret, HEADER, &claims)), "not signed");
    }
    for algorithm in [&RSA_PKCS1_SHA384 as &'static dyn RsaEncoding, &RSA_PSS_SHA256] {
        assert_eq!(mine.verdict(&mine.sign_by(algorithm, HEADER, &claims)), "not signed");
    }
    assert_eq!(mine.verdict(&other.sign(HEADER, &claims)), "not signed");
}

#[tokio::test]
async fn a_token_is_good_as_it_was_signed_and_in_no_other_spelling() {
    let mine = Signer::new().await;
    let claims = claims_with("");
    let good = mine.sign(HEADER, &claims);
    assert_eq!(mine.verdict(&good), "good");
    let digits = URL_SAFE.as_str().as_bytes();
    for (place, byte) in good.bytes().enumerate() {
        let others: Vec<u8> = match digits.iter().position(|digit| *digit == byte) {
            Some(value) => (0..6).map(|bit| digits[value ^ (1 << bit)]).collect(),
            None => vec![b'A', b',', b'='],
        };
        for other in others {
            let mut changed = good.clone().into_bytes();
            changed[place] = other;
            let changed = String::from_utf8(changed).unwrap();
            assert_ne!(mine.verdict(&changed), "good", "{} at {place} of {good}", other as char);
        }
        assert_ne!(mine.verdict(&[&good[..place], &good[place + 1..]].concat()), "good", "cut at {place}");
    }

    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let standard = signature.replace('-', "+").replace('_', "/");
    let mut forged = vec![
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!(".{payload}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}.{payload}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{signature}.."),
        format!("{payload}.{header}.{signature}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{}", encode(vec![0; bytes.len()])),
        format!("{header}.{payload}.{}", encode(vec![0xff; bytes.len()])),
        format!("{header}.{payload}.{}", encode([&[0], &bytes[..]].concat())),
        format!("{header}.{payload}.{}", encode([&bytes[..], &[0]].concat())),
        format!("{header}.{payload}.{}", encode(&bytes[1..])),
    ];
    forged.extend(["=", "==", "A", "x", " ", "\n", "\0", ".", ",", "é"].map(|end| format!("{good}{end}")));
    forged.extend([" ", "\n", ".", "A"].map(|start| format!("{start}{good}")));
    if standard != signature {
        forged.push(format!("{header}.{payload}.{standard}"));
    }
    for token in forged {
        assert_ne!(mine.verdict(&token), "good", "{token}");
    }
}

#[tokio::test]
async fn n_024_claims_that_can_be_read_in_two_ways_are_refused_whoever_signed_them() {
    let mine = Signer::new().await;
    let later = NOW + 600;
    for claims in [
        "[]".to_owned(),
        "null".to_owned(),
        claims_with("") + "x",
        claims_with("") + "{}",
        format!("\u{feff}{}", claims_with("")),
        claims_with(r#""iat":1,"#),
        claims_with(&format!(r#""iat":{NOW},"#)),
        claims_with(r#""\u0069at":1,"#),
        claims_with(r#""application_id":"00000000-0000-0000-0000-000000000000","#),
        claims_with(&format!(r#""exp":{later},"exp":{later},"#)),
        claims_with(r#""sub":"\u0000","#),
        claims_with(&format!(r#""exp":"{later}","#)),
        claims_with(&format!(r#""exp":{later}.0,"#)),
        claims_with(&format!(r#""exp":[{later}],"#)),
        claims_with(r#""exp":1.7e9,"#),
        claims_with(r#""exp":true,"#),
        claims_with(r#""exp":null,"#),
        claims_with(r#""exp":99999999999999999999,"#),
        claims_with(r#""nbf":"0","#),
        claims_with(r#""nbf":0.5,"#),
        claims_with(r#""acl":"/**","#),
        claims_with("").replace(&NOW.to_string(), &format!("{NOW}.0")),
        claims_with("").replace(&NOW.to_string(), &format!(r#""{NOW}""#)),
        claims_with("").replace(&NOW.to_string(), "1.7e9"),
        claims_with("").replace(r#""1""#, "1"),
        claims_with("").replace(APPLICATION, "%"),
    ] {
        assert_eq!(mine.verdict(&mine.sign(HEADER, &claims)), "no token", "{claims}");
    }
    for (members, verdict) in [
        (format!(r#""exp":{later},"#), "good"),
        (format!(r#""nbf":{},"#, NOW + 61), "of another time"),
        (format!(r#""exp":{},"#, NOW + 86_401), "of another time"),
    ] {
        assert_eq!(mine.verdict(&mine.sign(HEADER, &claims_with(&members))), verdict, "{members}");
    }
    for (iat, verdict) in [(NOW + 61, "of another time"), (later, "of another time"), (NOW - 961, "expired")]
    {
        let claims = claims_with("").replace(&NOW.to_string(), &iat.to_string());
        assert_eq!(mine.verdict(&mine.sign(HEADER, &claims)), verdict, "{iat}");
    }
}

#[tokio::test]
async fn what_is_far_too_long_is_not_even_decoded() {
    let mine = Signer::new().await;
    let filled = |length: usize| format!(r#""sub":"{}","#, "x".repeat(length));
    assert_eq!(mine.verdict(&mine.sign(HEADER, &claims_with(&filled(5_000)))), "good");
    assert_eq!(mine.verdict(&mine.sign(HEADER, &claims_with(&filled(8_000)))), "no token");
    let header = format!(r#"{{"alg":"RS256","x5c":["{}"]}}"#, "x".repeat(8_000));
    assert_eq!(mine.verdict(&mine.sign(&header, &claims_with(""))), "no token");
    assert_eq!(mine.verdict(&"A".repeat(1 << 20)), "no token");
    let nested = format!(r#""sub":{}1{},"#, "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(mine.verdict(&mine.sign(HEADER, &claims_with(&nested))), "no token");
}
