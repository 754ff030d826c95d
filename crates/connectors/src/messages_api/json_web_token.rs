//! JSON web tokens, as far as this provider needs them: HS256 for the signatures of webhooks, RS256
//! to say who sends. By ring, whose private-key operations take the same time whatever the key.
//!
//! Whoever reads a token's claims compares its times with the time that he was handed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, alg_id};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const HS256: &str = "HS256";
const RS256: &str = "RS256";

/// A private key with which nothing can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyFault {
    #[error(
        "it holds no private key: give a whole PEM file without a passphrase, from its \
         `-----BEGIN PRIVATE KEY-----` to its `-----END PRIVATE KEY-----`"
    )]
    NotPem,
    #[error("its key is not an RSA key: take the private key that the application was created with")]
    NotRsa,
    #[error(
        "its RSA key is damaged, or does not have 2048 to 4096 bits: take the private key that the \
         application was created with"
    )]
    Unusable,
}

/// An RSA key to sign with. Neither `Debug` nor an error shows it.
#[derive(Clone)]
pub(super) struct PrivateKey(Arc<RsaKeyPair>);

impl PrivateKey {
    /// Reads PKCS #8 or PKCS #1 in PEM. Line breaks may be written as `\n`, as they are where a file
    /// has been squeezed into a variable.
    pub(super) fn from_pem(pem: &str) -> Result<Self, PrivateKeyFault> {
        let pem = pem.replace("\\n", "\n");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| PrivateKeyFault::NotPem)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) if is_rsa(key.secret_pkcs8_der()) => {
                RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            }
            _ => return Err(PrivateKeyFault::NotRsa),
        };
        key.map(|key| Self(Arc::new(key))).map_err(|_| PrivateKeyFault::Unusable)
    }

    /// The token, RS256. What is wrong with some of the key's numbers only shows here.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, PrivateKeyFault> {
        let signed = to_be_signed(RS256, claims);
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| PrivateKeyFault::Unusable)?;
        Ok(with_signature(&signed, &signature))
    }
}

/// PKCS #8 names the algorithm ahead of the key.
fn is_rsa(pkcs8: &[u8]) -> bool {
    let name = alg_id::RSA_ENCRYPTION.as_ref();
    pkcs8.windows(name.len()).any(|window| window == name)
}

/// The token, HS256.
pub(super) fn sign_with_secret(claims: &impl Serialize, secret: &str) -> String {
    let signed = to_be_signed(HS256, claims);
    let signature = hmac::sign(&hmac_key(secret), signed.as_bytes());
    with_signature(&signed, signature.as_ref())
}

/// The claims of a token that was signed with this secret, HS256 and nothing else; `None` for any
/// other token. The signature is compared in constant time. No claim is checked.
pub(super) fn read_with_secret<T: DeserializeOwned>(token: &str, secret: &str) -> Option<T> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    if header.alg != HS256 || header.crit.is_some() {
        return None;
    }
    hmac::verify(&hmac_key(secret), signed.as_bytes(), &decode(signature)?).ok()?;
    serde_json::from_slice(&decode(claims)?).ok()
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that whoever does not know them must refuse; we know none.
    crit: Option<Value>,
}

fn hmac_key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn to_be_signed(algorithm: &str, claims: &impl Serialize) -> String {
    let claims = serde_json::to_vec(claims).expect("claims are plain data");
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn with_signature(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{PrivateKey, PrivateKeyFault, read_with_secret, sign_with_secret};

    const PKCS8: &str = include_str!("test_keys/rsa_pkcs8.pem");

    // {"alg":"RS256","typ":"JWT"} and {"iat":1714817472}, and: openssl dgst -sha256 -sign rsa_pkcs8.pem
    const BY_OPENSSL: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MTQ4MTc0NzJ9.\
        RfqHIgWK0sCeQmD9XIxve0uyckg5TvgX0yeAO4irQupLu7XcV332XIfVcPjJy1-KWVNkCy4kV678gv07RKCycvOz0_6jzkSRA103KJo8_Q_L\
        5fVjHSFKyL59mb9FfbomtPvq02r8_q7o2ZsGW7blPZXh6bpO1ebmYY6oy1URsw5FjZETW-Eu1g2glO9anR3X3ffMsXIVQLq4sq8Z4JtCIM-b\
        0LBSUVbEfD4dncH7Yn8Nvf9-Wgox7781Xl6rMu7TX7fQTsMStFSjM_jNUcHlfTaXX_NTrXQ353dpq4gSM-AabCuaoH2q923ykg9I-Kd3936U\
        TBY_I2yCqwqQF5HpFg";

    // The same claims by openssl dgst -sha256 -hmac "the signature secret"
    const WITH_SECRET: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MTQ4MTc0NzJ9.\
        mScTJx3TkDEcnIWv2akmEhJ86dNRDBG3pqeM-SV0nTA";

    fn fault(pem: &str) -> PrivateKeyFault {
        PrivateKey::from_pem(pem).and_then(|key| key.sign(&1)).unwrap_err()
    }

    #[test]
    fn a_key_signs_as_another_program_does_in_both_encodings_and_with_written_line_breaks() {
        let pkcs1 = include_str!("test_keys/rsa_pkcs1.pem");
        let squeezed = PKCS8.trim().replace('\n', "\\n");
        let of_windows = PKCS8.replace('\n', "\r\n");
        for pem in [PKCS8, pkcs1, &squeezed, &of_windows] {
            let token = PrivateKey::from_pem(pem).unwrap().sign(&json!({"iat": 1_714_817_472}));
            assert_eq!(token.unwrap(), BY_OPENSSL);
        }
    }

    #[test]
    fn a_secret_signs_and_checks_as_another_program_does() {
        let claims = json!({"iat": 1_714_817_472});
        assert_eq!(sign_with_secret(&claims, "the signature secret"), WITH_SECRET);
        assert_eq!(read_with_secret(WITH_SECRET, "the signature secret"), Some(claims));
        assert_eq!(read_with_secret::<serde_json::Value>(WITH_SECRET, "another"), None);
        assert_eq!(read_with_secret::<serde_json::Value>(BY_OPENSSL, "the signature secret"), None);
    }

    #[test]
    fn what_is_no_rsa_key_is_told_apart() {
        assert_eq!(fault("s-1"), PrivateKeyFault::NotPem);
        assert_eq!(fault(include_str!("test_keys/rsa_public.pem")), PrivateKeyFault::NotPem);
        assert_eq!(fault(include_str!("test_keys/ec_pkcs8.pem")), PrivateKeyFault::NotRsa);
        let lines: Vec<&str> = PKCS8.lines().collect();
        let cut = [lines[0], lines[1], lines[lines.len() - 1]].join("\n");
        assert_eq!(fault(&cut), PrivateKeyFault::Unusable);
        let key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(fault(key), PrivateKeyFault::Unusable);
        assert_eq!(fault(include_str!("test_keys/rsa_wrong_exponent.pem")), PrivateKeyFault::Unusable);
    }
}
