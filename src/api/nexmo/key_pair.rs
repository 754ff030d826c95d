//! A fresh key pair for an application that brings no key of its own.
//!
//! Made by `rsa`, because ring makes none. Nothing is signed or decrypted with that crate, here or elsewhere: how long
//! it takes for that tells about the key (RUSTSEC-2023-0071).

use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use tokio::sync::Semaphore;

use super::public_key::{MIN_BITS, PublicKey};

/// Pairs that are made at the same moment: each takes a processor for up to a second.
static AT_ONCE: Semaphore = Semaphore::const_new(1);

pub struct KeyPair {
    pub public: PublicKey,
    /// PEM (`BEGIN PRIVATE KEY`, PKCS#8): shown once, and kept nowhere.
    pub private_pem: String,
}

impl KeyPair {
    /// Apart from the threads that serve requests.
    pub async fn generate() -> Self {
        let _permit = AT_ONCE.acquire().await.expect("the semaphore is never closed");
        let generating = tokio::task::spawn_blocking(Self::generate_here);
        generating.await.expect("making a key does not panic, and the runtime waits for it")
    }

    fn generate_here() -> Self {
        let private = RsaPrivateKey::new(&mut OsRng, MIN_BITS).expect("keys of this length can be made");
        let private_pem = private.to_pkcs8_pem(LineEnding::LF).expect("a key that was made can be written");
        let public = PublicKey::of(private.to_public_key()).expect("the length is one that is taken");
        Self { public, private_pem: private_pem.to_string() }
    }
}
