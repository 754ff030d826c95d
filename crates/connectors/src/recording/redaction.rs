//! What becomes of one text under the account's policy.

use std::fmt;

use ring::hmac;
use trunkline_workflow::history_policy::{Bodies, HistoryPolicy};

use super::names::{digits, is_plain, is_secret, normal};
use super::packed::redact_packed;
use super::redact_url::{is_url, redact_links, redact_url};
use super::secrets::{REDACTED, Secrets};

/// What says nothing about anybody is short.
const LONGEST_PLAIN: usize = 80;
/// Plain ones whose texts are more than a word.
const SPOKEN: [&str; 2] = ["reasonphrase", "date"];
/// Of a refusal, or of somebody who proves who he is.
const CODE: &str = "code";

/// An account's policy, ready to be applied.
#[derive(Clone)]
pub struct Redaction {
    bodies: Bodies,
    /// Headers, members and parameters that the account names itself.
    names: Vec<String>,
    key: Option<hmac::Key>,
    /// Bytes that are kept of a body.
    pub(super) limit: usize,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("bodies", &self.bodies).finish_non_exhaustive()
    }
}

impl Redaction {
    /// `limit`: bytes that are kept of each body. Without a key nothing is hashed, but left out.
    pub fn new(policy: &HistoryPolicy, key: Option<[u8; 32]>, limit: usize) -> Self {
        let names = policy.headers.iter().chain(&policy.members);
        Self {
            bodies: policy.bodies,
            names: names.map(|name| normal(name)).collect(),
            key: key.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key)),
            limit,
        }
    }

    /// Whether the account names it.
    pub(super) fn names(&self, name: &str) -> bool {
        !self.names.is_empty() && self.names.contains(&normal(name))
    }

    pub(super) fn is_secret(&self, name: &str) -> bool {
        let name = normal(name);
        is_secret(&name) || self.names.contains(&name)
    }

    pub(super) fn keeps(&self) -> bool {
        self.bodies == Bodies::Keep
    }

    /// A text that stands under `name`, which is no secret's.
    pub(super) fn text(&self, name: &str, text: &str, secrets: &Secrets) -> String {
        if is_url(text) {
            return redact_url(text, self, secrets);
        }
        if self.keeps()
            && let Some(redacted) = redact_packed(text, self, secrets)
        {
            return secrets.scrub(&redacted).into_owned();
        }
        let scrubbed = secrets.scrub(text);
        if self.keeps() && scrubbed.contains("://") {
            return redact_links(&scrubbed, self, secrets);
        }
        let is_open = self.keeps() || text.is_empty();
        if is_open || is_plain_text(&normal(name), text) {
            return scrubbed.into_owned();
        }
        self.stand_in(text.as_bytes(), &format!("{} characters", text.chars().count()))
    }

    /// A number, as JSON writes it.
    pub(super) fn number(&self, name: &str, text: &str) -> String {
        // With four digits it may be what somebody is asked for to prove who he is.
        let name = normal(name);
        let is_plain = is_plain(&name) && (name != CODE || digits(text) < 5);
        if self.keeps() || is_plain || digits(text) < 4 {
            return text.to_owned();
        }
        format!("\"{}\"", self.stand_in(text.as_bytes(), "number"))
    }

    /// In the place of something; `what` it was, where its hash is not told.
    pub(super) fn stand_in(&self, bytes: &[u8], what: &str) -> String {
        match (&self.key, self.bodies) {
            (Some(key), Bodies::Hash) => {
                let tag = hmac::sign(key, bytes);
                let (hash, _) = tag.as_ref().split_first_chunk().expect("the tag of SHA-256 has 32 bytes");
                format!("[hash: {:016x}]", u64::from_be_bytes(*hash))
            }
            _ => format!("[redacted: {what}]"),
        }
    }

    pub(super) fn header(&self, name: &str, value: &str, secrets: &Secrets) -> String {
        const KEPT: [&str; 3] = ["content", "accept", "trace"];
        if self.is_secret(name) {
            return REDACTED.to_owned();
        }
        if is_url(value) {
            return redact_url(value, self, secrets);
        }
        let plain = normal(name);
        if self.keeps() || is_plain(&plain) || KEPT.iter().any(|kept| plain.starts_with(kept)) {
            return secrets.scrub(value).into_owned();
        }
        self.stand_in(value.as_bytes(), &format!("{} characters", value.chars().count()))
    }
}

/// A word of a provider's under a name that says what became of something: nothing that somebody wrote.
fn is_plain_text(name: &str, text: &str) -> bool {
    let is_word = !text.contains(char::is_whitespace) || SPOKEN.contains(&name);
    is_word && is_plain(name) && text.len() <= LONGEST_PLAIN && !is_number(text)
}

/// A phone number, or a code that somebody is asked for, under a name that should hold none.
fn is_number(text: &str) -> bool {
    digits(text) >= 5 && text.chars().all(|c| c.is_ascii_digit() || "+- ().".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(bodies: Bodies) -> Redaction {
        let policy = HistoryPolicy {
            bodies,
            headers: vec!["X-Customer".to_owned()],
            members: vec!["iban".to_owned()],
        };
        Redaction::new(&policy, Some([7; 32]), 4096)
    }

    #[test]
    fn texts_are_kept_told_by_their_length_or_hashed() {
        let secrets = Secrets::default();
        let text = |bodies, name| redaction(bodies).text(name, "größer", &secrets);
        assert_eq!(text(Bodies::Keep, "text"), "größer");
        assert_eq!(text(Bodies::Redact, "text"), "[redacted: 6 characters]");
        assert_eq!(text(Bodies::Redact, "status"), "größer");
        assert_eq!(
            redaction(Bodies::Redact).text("status", "at Ann's", &secrets),
            "[redacted: 8 characters]"
        );
        let hash = text(Bodies::Hash, "text");
        assert!(hash.starts_with("[hash: ") && hash.len() == 24, "{hash}");
        assert_eq!(text(Bodies::Hash, "body"), hash, "the same text, the same hash");
        assert_ne!(redaction(Bodies::Hash).text("text", "kleiner", &secrets), hash);
    }

    #[test]
    fn secrets_are_found_by_their_names_in_texts_that_hold_json_or_a_form() {
        let secrets = Secrets::default();
        for (text, kept) in [
            (r#"{"password": "hush", "n": [1]}"#, r#"{"password":"[redacted]","n":[1]}"#),
            (r#" [{"a": "{\"iban\": 17}"}]"#, r#"[{"a":"{\"iban\":\"[redacted]\"}"}]"#),
            ("grant_type=x&client_secret=hush&iban=", "grant_type=x&client_secret=[redacted]&iban="),
            (r#"{"a": "b"}"#, r#"{"a": "b"}"#),
            ("{ no JSON", "{ no JSON"),
            ("my password=hush, she said", "my password=hush, she said"),
            ("YQ==", "YQ=="),
        ] {
            assert_eq!(redaction(Bodies::Keep).text("text", text, &secrets), kept);
        }
    }

    #[test]
    fn without_a_key_nothing_is_hashed() {
        let policy = HistoryPolicy { bodies: Bodies::Hash, ..HistoryPolicy::default() };
        let redaction = Redaction::new(&policy, None, 4096);
        assert_eq!(redaction.text("text", "abc", &Secrets::default()), "[redacted: 3 characters]");
    }

    #[test]
    fn a_phone_number_is_one_under_any_name() {
        let redaction = redaction(Bodies::Redact);
        let secrets = Secrets::default();
        assert_eq!(redaction.text("code", "+65 9000 1111", &secrets), "[redacted: 13 characters]");
        assert_eq!(redaction.text("code", "1002", &secrets), "1002");
        assert_eq!(redaction.number("msisdn", "6590001111"), "\"[redacted: number]\"");
        assert_eq!(redaction.number("page", "17"), "17");
        assert_eq!(redaction.number("code", "1002"), "1002");
        assert_eq!(redaction.number("code", "100200"), "\"[redacted: number]\"");
    }

    #[test]
    fn headers_are_kept_by_their_names() {
        let redaction = redaction(Bodies::Redact);
        let secrets = Secrets::default();
        for (name, value, kept) in [
            ("Content-Type", "application/json", "application/json"),
            ("Authorization", "Bearer x", "[redacted]"),
            ("x-customer", "17", "[redacted]"),
            ("X-Name", "Ann", "[redacted: 3 characters]"),
            ("Location", "https://h/p?token=abcdef#x", "https://h/p?token=[redacted]"),
        ] {
            assert_eq!(redaction.header(name, value, &secrets), kept);
        }
        assert!(redaction.is_secret("IBAN"));
    }
}
