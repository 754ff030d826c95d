//! `Authorization: Basic`: an API key and one of its secrets.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// What somebody shows. The secret is kept as its hash only.
pub(super) struct Shown {
    pub(super) api_key: String,
    hash: [u8; 32],
}

impl Shown {
    /// `None`: it is no key and secret.
    pub(super) fn read(credentials: &str) -> Option<Self> {
        let pair = BASE64.decode(credentials).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        let (key, secret) = (&pair[..colon], &pair[colon + 1..]);
        let api_key = String::from_utf8(key.to_vec()).ok()?;
        Some(Self { api_key, hash: Sha256::digest(secret).into() })
    }

    /// Takes the same time whichever of the secrets it is, and if it is none.
    pub(super) fn is_one_of(&self, secrets: &[[u8; 32]]) -> bool {
        secrets.iter().fold(false, |found, secret| found | is_equal(secret, &self.hash))
    }
}

fn is_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_ends_the_key() {
        let shown = Shown::read(&BASE64.encode("ab001f09:se:cret")).unwrap();
        assert_eq!(shown.api_key, "ab001f09");
        let [secret, other] = ["se:cret", "secret"].map(|text| Sha256::digest(text).into());
        assert!(shown.is_one_of(&[secret]) && shown.is_one_of(&[other, secret]));
        assert!(!shown.is_one_of(&[other]) && !shown.is_one_of(&[]));
        assert!(Shown::read("YTpi").is_some() && Shown::read("YTo").is_some());
        for bad in ["", "a:b", "YWI", "/zph", "YTpi YTpi", "YTpi,"] {
            assert!(Shown::read(bad).is_none(), "{bad}");
        }
    }
}
