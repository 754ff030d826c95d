//! JSON web tokens, as far as this provider needs them: HS256 for the signatures of webhooks, RS256
//! to say who sends. The only file that names the crate behind it.
//!
//! The crate's checks of times are off, because it reads the machine's clock; whoever reads a
//! token's claims compares them with the time that he was handed.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

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
    #[error("its RSA key is damaged: take the private key that the application was created with")]
    Damaged,
}

/// An RSA key to sign with. Neither `Debug` nor an error shows it, and its memory is wiped.
#[derive(Clone)]
pub(super) struct PrivateKey(EncodingKey);

impl PrivateKey {
    /// Reads PKCS #8 or PKCS #1 in PEM. Line breaks may be written as `\n`, as they are where a file
    /// has been squeezed into a variable.
    pub(super) fn from_pem(pem: &str) -> Result<Self, PrivateKeyFault> {
        let pem = pem.replace("\\n", "\n");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| PrivateKeyFault::NotPem)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(key) => EncodingKey::from_rsa_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => {
                let key =
                    PrivateKeyInfo::try_from(key.secret_pkcs8_der()).map_err(|_| PrivateKeyFault::Damaged)?;
                if key.algorithm.oid != RSA {
                    return Err(PrivateKeyFault::NotRsa);
                }
                EncodingKey::from_rsa_der(key.private_key)
            }
            _ => return Err(PrivateKeyFault::NotRsa),
        };
        Ok(Self(key))
    }

    /// The token, RS256. What is wrong with the numbers of the key only shows here.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, PrivateKeyFault> {
        encode(&Header::new(Algorithm::RS256), claims, &self.0).map_err(|_| PrivateKeyFault::Damaged)
    }
}

/// The token, HS256.
pub(super) fn sign_with_secret(claims: &impl Serialize, secret: &str) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .expect("any text is a key of HMAC, and claims are plain data")
}

/// The claims of a token that was signed with this secret, HS256 and nothing else; `None` for any
/// other token. The signature is compared in constant time. No claim is checked.
pub(super) fn read_with_secret<T: DeserializeOwned>(token: &str, secret: &str) -> Option<T> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let token = decode(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).ok()?;
    Some(token.claims)
}

#[cfg(test)]
mod tests {
    use super::{PrivateKey, PrivateKeyFault};

    const PKCS8: &str = include_str!("test_keys/rsa_pkcs8.pem");

    fn fault(pem: &str) -> PrivateKeyFault {
        PrivateKey::from_pem(pem).and_then(|key| key.sign(&1)).unwrap_err()
    }

    #[test]
    fn a_key_signs_the_same_in_both_encodings_and_with_written_line_breaks() {
        let signed = |pem: &str| PrivateKey::from_pem(pem).unwrap().sign(&1).unwrap();
        let token = signed(PKCS8);
        assert_eq!(signed(include_str!("test_keys/rsa_pkcs1.pem")), token);
        assert_eq!(signed(&PKCS8.trim().replace('\n', "\\n")), token);
        assert_eq!(signed(&PKCS8.replace('\n', "\r\n")), token);
    }

    #[test]
    fn what_is_no_rsa_key_is_told_apart() {
        assert_eq!(fault("s-1"), PrivateKeyFault::NotPem);
        assert_eq!(fault(include_str!("test_keys/rsa_public.pem")), PrivateKeyFault::NotPem);
        assert_eq!(fault(include_str!("test_keys/ec_pkcs8.pem")), PrivateKeyFault::NotRsa);
        let lines: Vec<&str> = PKCS8.lines().collect();
        assert_eq!(fault(&[lines[0], lines[1], lines[lines.len() - 1]].join("\n")), PrivateKeyFault::Damaged);
        let key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(fault(key), PrivateKeyFault::Damaged);
    }
}
