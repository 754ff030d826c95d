//! What errors have in common that are one error: their words.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Of an error's message without what differs from one time to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub(crate) i64);

/// The characters of a message that count.
const LONGEST: usize = 1_000;
/// In the place of what was taken out.
const HOLE: &str = "*";

impl Fingerprint {
    pub fn of(message: &str) -> Self {
        let digest = Sha256::digest(shape(message));
        let first = digest.first_chunk().expect("a SHA-256 has 32 bytes");
        Self(i64::from_be_bytes(*first))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a fingerprint has 16 hexadecimal digits")]
pub struct MalformedFingerprint;

impl FromStr for Fingerprint {
    type Err = MalformedFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(MalformedFingerprint);
        }
        let bits = u64::from_str_radix(text, 16).map_err(|_| MalformedFingerprint)?;
        Ok(Self(bits.cast_signed()))
    }
}

/// The message's words in lower case. Quoted texts, addresses and words with a digit in them (numbers, ids, times)
/// leave a hole.
fn shape(message: &str) -> String {
    let message: String = message.chars().take(LONGEST).collect();
    let unquoted = without_quotes(&message);
    let words = unquoted.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let varies = bare.contains("://") || bare.contains('@') || bare.chars().any(char::is_numeric);
        if varies { word.replacen(bare, HOLE, 1) } else { word.to_lowercase() }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A quote begins at the start of a word, so that the apostrophe of "doesn't" is none.
fn without_quotes(message: &str) -> String {
    let mut rest = message;
    let mut text = String::with_capacity(message.len());
    while let Some(at) = rest.find(['\'', '"', '`', '“', '‘', '«']) {
        let open = rest[at..].chars().next().expect("something was found there");
        let close = match open {
            '“' => '”',
            '‘' => '’',
            '«' => '»',
            same => same,
        };
        let inside = &rest[at + open.len_utf8()..];
        let begins = rest[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        text.push_str(&rest[..at]);
        if let Some(end) = inside.find(close).filter(|_| begins) {
            text.push_str(HOLE);
            rest = &inside[end + close.len_utf8()..];
        } else {
            text.push(open);
            rest = inside;
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_one_time_to_the_next_leaves_a_hole() {
        for (message, expected) in [
            (
                "Call failed. Response status code does not indicate success: 503 (Service Unavailable): \
                 POST https://crm.example/contacts/81?x=1",
                "call failed. response status code does not indicate success: * (service unavailable): post *",
            ),
            ("Step 'ask': input 'url' is required.", "step *: input * is required."),
            ("`Mars/Base` is not a known time zone.", "* is not a known time zone."),
            ("It doesn't exist, and 'that'  isn't \"it\"", "it doesn't exist, and * isn't *"),
            ("Order A-17 of mei@example.com (3c0e9b52-11d2-11f1) is late", "order * of * (*) is late"),
            ("an open ' quote of 5", "an open ' quote of *"),
            ("„Größe“ “7”", "„größe“ *"),
            ("", ""),
        ] {
            assert_eq!(shape(message), expected);
        }
        let of = |number: u32| Fingerprint::of(&format!("Timeout after {number} ms"));
        assert_eq!(of(5), of(12_000));
        assert_ne!(of(5), Fingerprint::of("Timeout before 5 ms"));
    }

    #[test]
    fn it_is_written_in_sixteen_digits_and_read_back() {
        let fingerprint = Fingerprint::of("boom");
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(Fingerprint(-1).to_string().parse(), Ok(Fingerprint(-1)));
        for wrong in ["", "12", "+123456789abcdef", "0123456789abcdefg", "0123456789abcdez"] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(MalformedFingerprint), "{wrong}");
        }
    }
}
