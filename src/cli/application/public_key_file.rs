//! The key that an application is given: somebody's own, or a fresh one.

use std::path::{Path, PathBuf};

use crate::api::nexmo::key_pair::KeyPair;
use crate::api::nexmo::public_key::PublicKey;
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct KeySource {
    /// A file with its public key in PEM, RSA of 2048 bits at least [default: a key pair is made]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

/// A key, with its private half where we made it.
pub(super) struct NewKey {
    pub(super) public: PublicKey,
    pub(super) private_pem: Option<String>,
}

impl KeySource {
    pub(super) async fn key(&self) -> Result<NewKey, CliError> {
        if let Some(path) = &self.public_key {
            return Ok(NewKey { public: read(path)?, private_pem: None });
        }
        let KeyPair { public, private_pem } = KeyPair::generate().await;
        Ok(NewKey { public, private_pem: Some(private_pem) })
    }
}

impl NewKey {
    /// The private key alone on standard output, so that it can go to a file.
    pub(super) fn print_private(&self) {
        if let Some(pem) = &self.private_pem {
            eprintln!("Its private key is shown this once, and kept nowhere:");
            print!("{pem}");
        }
    }
}

fn read(path: &Path) -> Result<PublicKey, CliError> {
    let file = || path.to_owned();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| CliError::File { action: "read", path: file(), source })?;
    PublicKey::parse(&text).map_err(|source| CliError::BadPublicKey { path: file(), source })
}
