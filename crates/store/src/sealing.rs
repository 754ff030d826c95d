//! Encryption at rest: what must not be read in a dump of the database is sealed with a master key that the
//! database never sees.
//!
//! ```text
//! v1.1f8c03aa.q2x…   base64 of nonce (96 random bits), ciphertext, tag
//! │  └─ the key's id: the first four bytes of its SHA-256
//! └─ AES-256-GCM
//! ```
//!
//! The row that a text is sealed for is part of what the tag vouches for: copied into another row, of another
//! account say, it does not open. Of several keys all open, and the one that the database names seals
//! ([`Store::sealer`]).

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use trunkline_workflow::AccountId;

use crate::{Store, StoreError};

const KEY_LENGTH: usize = 32;
const VERSION: &str = "v1";
/// Master keys are typed by people and made by other programs: with or without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_OF_URLS: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What cannot be a list of master keys. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    #[error("there is no key in it")]
    Empty,
    #[error("a key is 32 bytes, as 64 hexadecimal digits or in base64")]
    Malformed,
}

/// One or more keys. Cheap to clone; its `Debug` shows the ids only.
#[derive(Clone)]
pub struct MasterKeys(Arc<[MasterKey]>);

struct MasterKey {
    id: String,
    key: LessSafeKey,
    /// What keys for other purposes are derived with.
    root: hmac::Key,
}

/// Where a sealed text belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The table and its column.
    pub(crate) column: &'static str,
    pub(crate) account: &'a AccountId,
    /// The rest of the row's primary key.
    pub(crate) row: &'a str,
}

impl Place<'_> {
    /// Lengths stand in front, so that no two places read the same.
    fn associated_data(self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [VERSION, self.column, self.account.as_str(), self.row] {
            let length = u64::try_from(part.len()).expect("no text is that long");
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }

    fn damaged(self) -> StoreError {
        let of = match self.account.as_str() {
            "" => String::new(),
            account => format!(" of account `{account}`"),
        };
        StoreError::Damaged(format!("{}{of} cannot be unsealed", self.column))
    }
}

impl MasterKeys {
    /// Keys with commas, spaces or line breaks between them.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        let keys = parts.map(MasterKey::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(MasterKeyError::Empty) } else { Ok(Self(keys.into())) }
    }

    /// A single key of these bits, which must be random.
    pub fn from_random(bits: [u8; KEY_LENGTH]) -> Self {
        Self(Arc::new([MasterKey::new(&bits)]))
    }

    /// The id of the key that everything is sealed with in the end ([`Store::reseal`]).
    pub fn first_id(&self) -> &str {
        &self.0[0].id
    }

    /// In the order of the keys.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    /// What every text begins with that the first key sealed.
    pub(crate) fn prefix(&self) -> String {
        format!("{VERSION}.{}.", self.first_id())
    }

    pub(crate) fn first(&self) -> Sealer<'_> {
        Sealer(&self.0[0])
    }

    /// `None`: the key of this id is not configured.
    pub(crate) fn sealer(&self, id: &str) -> Option<Sealer<'_>> {
        self.0.iter().find(|key| key.id == id).map(Sealer)
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.sealer(id).is_some()
    }

    pub(crate) fn unseal(&self, place: Place<'_>, sealed: &str) -> Result<String, StoreError> {
        let (id, sealed) = split(sealed).ok_or_else(|| place.damaged())?;
        let key = self.0.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| StoreError::UnknownMasterKey(id.to_owned()))?;
        let mut bytes = BASE64.decode(sealed).map_err(|_| place.damaged())?;
        let (nonce, text) = bytes.split_first_chunk_mut().ok_or_else(|| place.damaged())?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(place.associated_data());
        let text = key.key.open_in_place(nonce, aad, text).map_err(|_| place.damaged())?;
        String::from_utf8(text.to_vec()).map_err(|_| place.damaged())
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl MasterKey {
    fn new(bytes: &[u8; KEY_LENGTH]) -> Self {
        let id = hex(&Sha256::digest(bytes)[..4]);
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("the length is that of this algorithm");
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self { id, key: LessSafeKey::new(key), root }
    }

    fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let base64 = || BASE64.decode(text).or_else(|_| BASE64_OF_URLS.decode(text)).ok();
        let bytes = from_hex(text).or_else(base64).ok_or(MasterKeyError::Malformed)?;
        let bytes = bytes.try_into().map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self::new(&bytes))
    }
}

/// A fresh master key as people write it down. The bits must be random.
pub fn master_key_text(bits: [u8; KEY_LENGTH]) -> String {
    BASE64.encode(bits)
}

/// The id of the key and the rest, of what is sealed; `None` for anything else.
fn split(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(VERSION)?.strip_prefix('.')?.split_once('.')
}

/// Of the key that a text is sealed with; `None`: it is not sealed.
pub(crate) fn key_id(text: &str) -> Option<&str> {
    split(text).map(|(id, _)| id)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("four bits are a digit");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// `None` unless it is as many digits as a key has.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..KEY_LENGTH).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()).collect()
}

impl Store {
    /// The store with the keys that its secrets are sealed with. Without them nothing secret is written, and
    /// nothing sealed is read.
    #[must_use]
    pub fn with_master_keys(mut self, keys: MasterKeys) -> Self {
        self.keys = Some(keys);
        self.checked = Arc::default();
        self
    }

    pub fn master_keys(&self) -> Option<&MasterKeys> {
        self.keys.as_ref()
    }
}

/// Whether definitions may still be read that were stored before there were keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainTexts {
    Allowed,
    /// There are none, so one that turns up is a foreign hand's.
    Refused,
}

/// The key that seals.
#[derive(Clone, Copy)]
pub(crate) struct Sealer<'a>(&'a MasterKey);

impl Sealer<'_> {
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// A key for another purpose, the same every time; `place` is what it is for, and opens nothing sealed there.
    pub(crate) fn derive(self, place: Place<'_>) -> [u8; KEY_LENGTH] {
        let tag = hmac::sign(&self.0.root, &place.associated_data());
        tag.as_ref().try_into().expect("the tag of SHA-256 has that many bytes")
    }

    pub(crate) fn seal(self, place: Place<'_>, text: &str) -> String {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the operating system has random bytes at all times");
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(place.associated_data());
        self.0
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .expect("texts are far below the 64 GiB that a nonce is good for");
        sealed.splice(0..0, nonce);
        format!("{VERSION}.{}.{}", self.0.id, BASE64.encode(sealed))
    }
}

/// Keys that were found to be this database's ([`Store::keys`]).
#[derive(Clone, Copy)]
pub(crate) struct Unlocked<'a> {
    pub(crate) keys: &'a MasterKeys,
    pub(crate) plain: PlainTexts,
}

impl Unlocked<'_> {
    pub(crate) fn unseal(self, place: Place<'_>, sealed: &str) -> Result<String, StoreError> {
        self.keys.unseal(place, sealed)
    }

    /// A text of ours: sealed, or JSON from before there were keys.
    pub(crate) fn unseal_or_plain(self, place: Place<'_>, stored: &str) -> Result<String, StoreError> {
        if self.plain == PlainTexts::Allowed && is_plain(stored) {
            return Ok(stored.to_owned());
        }
        self.keys.unseal(place, stored)
    }
}

/// JSON, which no sealed text begins like.
pub(crate) fn is_plain(stored: &str) -> bool {
    stored.starts_with(['{', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn place(account: &AccountId) -> Place<'_> {
        Place { column: "connectors.secret", account, row: "8x8/" }
    }

    fn is_damaged(result: &Result<String, StoreError>) -> bool {
        matches!(result, Err(StoreError::Damaged(_)))
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_place_alone() {
        let keys = MasterKeys::from_random([7; 32]);
        let [acme, other] = ["acme", "other"].map(AccountId::new);
        for text in ["", "key-1", "größer\0", &"x".repeat(100_000)] {
            let sealed = keys.first().seal(place(&acme), text);
            assert!(text.is_empty() || !sealed.contains(text));
            assert_eq!(keys.unseal(place(&acme), &sealed).unwrap(), text);
            assert_ne!(keys.first().seal(place(&acme), text), sealed, "no nonce is used twice");
            for elsewhere in [
                place(&other),
                Place { column: "webhook_settings.secret", ..place(&acme) },
                Place { row: "8x8/a", ..place(&acme) },
                Place { row: "", ..place(&acme) },
            ] {
                assert!(is_damaged(&keys.unseal(elsewhere, &sealed)), "{elsewhere:?}");
            }
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let keys = MasterKeys::from_random([7; 32]);
        let acme = AccountId::new("acme");
        let sealed = keys.first().seal(place(&acme), "key-1");
        let at = sealed.len() - 4;
        let mut changed = sealed.clone();
        changed.replace_range(at..=at, if &sealed[at..=at] == "A" { "B" } else { "A" });
        for text in ["", "plain", "v1.", "v1.x", &sealed[..20], &sealed[3..], &changed, &format!("{sealed}=")]
        {
            let opened = keys.unseal(place(&acme), text);
            assert!(opened.is_err(), "{text}");
            assert!(!opened.unwrap_err().to_string().contains("key-1"));
        }
        assert!(is_damaged(&keys.unseal(place(&acme), &changed)));
    }

    #[test]
    fn any_of_several_keys_seals_and_all_open() {
        let old = MasterKeys::parse(ZEROS).unwrap();
        let new = MasterKeys::parse(&"01".repeat(32)).unwrap();
        let both = MasterKeys::parse(&format!("{}\n{ZEROS}\n", "01".repeat(32))).unwrap();
        let acme = AccountId::new("acme");
        let sealed = old.first().seal(place(&acme), "key-1");
        assert!(sealed.starts_with("v1.66687aad."), "the key's id is in front: {sealed}");
        assert_eq!(both.unseal(place(&acme), &sealed).unwrap(), "key-1");
        let error = new.unseal(place(&acme), &sealed).unwrap_err();
        assert_eq!(error.to_string(), "sealed with a master key that is not configured: `66687aad`");
        let sealed = both.first().seal(place(&acme), "key-2");
        assert_eq!(new.unseal(place(&acme), &sealed).unwrap(), "key-2");
        assert!(old.unseal(place(&acme), &sealed).is_err());
    }

    #[test]
    fn keys_are_read_from_base64_and_hex() {
        for (text, count) in [
            (ZEROS, 1),
            (ZEROS.trim_end_matches('='), 1),
            (&"_-".repeat(21)[..], 0),
            (&("__--".repeat(10) + "__A"), 1),
            (&"aF".repeat(32), 1),
            (&format!(" {ZEROS},{} \r\n", "aF".repeat(32)), 2),
        ] {
            let keys = MasterKeys::parse(text);
            assert_eq!(keys.as_ref().map_or(0, |keys| keys.0.len()), count, "{text}");
        }
        assert_eq!(MasterKeys::parse(" ,\n").unwrap_err(), MasterKeyError::Empty);
        for bad in ["hush", "aF", &"aF".repeat(31), &"aF".repeat(33), &"ä".repeat(32), "AAAA,"] {
            assert_eq!(MasterKeys::parse(bad).unwrap_err(), MasterKeyError::Malformed, "{bad}");
        }
        let fresh = master_key_text([0xab; 32]);
        assert_eq!(
            format!("{:?}", MasterKeys::parse(&fresh).unwrap()),
            format!("{:?}", MasterKeys::from_random([0xab; 32]))
        );
    }

    #[test]
    fn the_debug_output_shows_ids_only() {
        let shown = format!("{:?}", MasterKeys::parse(ZEROS).unwrap());
        assert_eq!(shown, "[\"66687aad\"]");
    }
}
