//! An application's public key, as people hand it in.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::RsaPublicKey;
use rsa::pkcs1::{DecodeRsaPublicKey, EncodeRsaPublicKey};
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;

pub const MIN_BITS: usize = 2048;
/// Checking a signature takes longer the longer the key is, and it is the caller who chooses it.
pub const MAX_BITS: usize = RsaPublicKey::MAX_SIZE;

/// Checks signatures by RS256.
pub(super) type Verifier = UnparsedPublicKey<Vec<u8>>;

/// Why a text is no key that can be used. To be read behind what it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error(
        "must be a public key in PEM: -----BEGIN PUBLIC KEY-----, a line of its own, stands in front of it"
    )]
    NotPem,
    #[error(
        "must be the public key, and this is the private one, which stays with you: `openssl rsa -in FILE -pubout` prints its public key"
    )]
    Private,
    /// With the words between `BEGIN` and the dashes.
    #[error("must be a public key, and this is a {0}")]
    OtherKind(String),
    #[error("must be an RSA key of {MIN_BITS} to {MAX_BITS} bits, and this one cannot be read")]
    Unreadable,
    #[error("must have at least {MIN_BITS} bits, and this one has {0}")]
    TooShort(usize),
}

/// An RSA key of a usable length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// From `BEGIN PUBLIC KEY` (SPKI) or `BEGIN RSA PUBLIC KEY` (PKCS#1).
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let text = text.trim();
        let label = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----"));
        let key = match label.ok_or(PublicKeyError::NotPem)?.0 {
            "PUBLIC KEY" => RsaPublicKey::from_public_key_pem(text).ok(),
            "RSA PUBLIC KEY" => RsaPublicKey::from_pkcs1_pem(text).ok(),
            label if label.ends_with("PRIVATE KEY") => return Err(PublicKeyError::Private),
            label => return Err(PublicKeyError::OtherKind(label.chars().take(40).collect())),
        };
        Self::of(key.ok_or(PublicKeyError::Unreadable)?)
    }

    pub(super) fn of(key: RsaPublicKey) -> Result<Self, PublicKeyError> {
        let bits = key.n().bits();
        if bits < MIN_BITS { Err(PublicKeyError::TooShort(bits)) } else { Ok(Self(key)) }
    }

    /// SPKI.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a key that was read can be written")
    }

    pub fn bits(&self) -> usize {
        self.0.n().bits()
    }

    /// To check signatures by RS256 with.
    pub(super) fn verifier(&self) -> Verifier {
        let der = self.0.to_pkcs1_der().expect("a key that was read can be written");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // openssl genrsa 1024 | openssl rsa -pubout
    const SHORT: &str = include_str!("public_key/short.pem");
    // openssl genrsa 2048 | openssl rsa -pubout, and the same key by -RSAPublicKey_out
    const SPKI: &str = include_str!("public_key/spki.pem");
    const PKCS1: &str = include_str!("public_key/pkcs1.pem");
    // openssl ecparam -name prime256v1 -genkey | openssl ec -pubout
    const ELLIPTIC: &str = include_str!("public_key/elliptic.pem");

    #[test]
    fn both_forms_of_a_key_are_read_and_written_as_one() {
        let key = PublicKey::parse(SPKI).unwrap();
        assert_eq!(key.bits(), 2048);
        assert_eq!(key.to_pem(), SPKI);
        assert_eq!(PublicKey::parse(PKCS1).unwrap(), key);
        assert_eq!(PublicKey::parse(&format!("\n {}\r\n", SPKI.replace('\n', "\r\n"))).unwrap(), key);
    }

    #[test]
    fn what_is_no_usable_key_is_named() {
        for (text, said) in [
            ("", "must be a public key in PEM"),
            ("hello", "must be a public key in PEM"),
            (SHORT, "must have at least 2048 bits, and this one has 1024"),
            (ELLIPTIC, "must be an RSA key of 2048 to 4096 bits"),
            ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be read"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "this is the private one"),
            ("-----BEGIN RSA PRIVATE KEY-----\n", "this is the private one"),
            ("-----BEGIN CERTIFICATE-----\nAAAA", "this is a CERTIFICATE"),
        ] {
            let error = PublicKey::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
