//! Values that are taken out wherever they come.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::names::{is_secret, normal};
use super::packed::{form_in, json_in};
use super::redact_url::secrets_of_url;
use super::redaction::Redaction;

/// In the place of what nobody may see.
pub(super) const REDACTED: &str = "[redacted]";
/// What is shorter would be found in places where it is no secret.
const SHORTEST: usize = 6;
/// Of one attempt.
const MOST: usize = 100;
/// Levels of inputs that are looked at.
const DEEPEST: usize = 20;

#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// In the spellings in which it may come again.
    pub(super) fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        self.add_spelling(secret);
        self.add_spelling(&form_urlencoded(secret));
        let quoted = Value::from(secret).to_string();
        self.add_spelling(&quoted[1..quoted.len() - 1]);
        // The longest first, so that no part of one is left.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    fn add_spelling(&mut self, secret: &str) {
        if secret.len() >= SHORTEST && self.0.len() < MOST && !self.0.iter().any(|known| known == secret) {
            self.0.push(secret.to_owned());
        }
    }

    /// The value of a header that is secret, and what is in it.
    pub(super) fn add_header(&mut self, value: &str) {
        self.add(value);
        for (_, value) in value.split(';').filter_map(|cookie| cookie.split_once('=')) {
            self.add(value);
        }
        let Some((scheme, rest)) = value.trim().split_once(' ') else { return };
        self.add(rest);
        let basic = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(rest.trim()).ok());
        if let Some(basic) = basic.flatten().and_then(|bytes| String::from_utf8(bytes).ok()) {
            self.add(&basic);
            if let Some((_, password)) = basic.split_once(':') {
                self.add(password);
            }
        }
    }

    pub(super) fn add_url(&mut self, url: &str, redaction: &Redaction) {
        for secret in secrets_of_url(url, redaction) {
            self.add(&secret);
        }
    }

    /// Everything in inputs that is one by its name, and what URLs hold.
    pub(super) fn add_inputs(&mut self, inputs: &Value, redaction: &Redaction) {
        self.look_at("", inputs, redaction, 0);
    }

    fn look_at(&mut self, name: &str, value: &Value, redaction: &Redaction, depth: usize) {
        if depth > DEEPEST || self.0.len() >= MOST {
            return;
        }
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    self.look_at(name, value, redaction, depth + 1);
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.look_at(name, value, redaction, depth + 1);
                }
            }
            Value::String(text) if is_secret(&normal(name)) || redaction.names(name) => self.add_header(text),
            Value::String(text) => self.look_into(text, redaction, depth),
            _ => {}
        }
    }

    fn look_into(&mut self, text: &str, redaction: &Redaction, depth: usize) {
        if let Some(value) = json_in(text) {
            return self.look_at("", &value, redaction, depth + 1);
        }
        for (_, value) in form_in(text).into_iter().flatten().filter(|(name, _)| redaction.is_secret(name)) {
            self.add(value);
            let decoded = reqwest::Url::parse(&format!("http://h/?{value}")).ok();
            let decoded = decoded.and_then(|url| Some(url.query_pairs().next()?.0.into_owned()));
            if let Some(decoded) = decoded.filter(|decoded| decoded != value) {
                self.add(&decoded);
            }
        }
        self.add_url(text, redaction);
    }

    pub(super) fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut scrubbed = Cow::Borrowed(text);
        for secret in &self.0 {
            if scrubbed.contains(secret.as_str()) {
                scrubbed = Cow::Owned(scrubbed.replace(secret.as_str(), REDACTED));
            }
        }
        scrubbed
    }
}

/// As it stands in a query.
fn form_urlencoded(text: &str) -> String {
    let mut url = reqwest::Url::parse("http://h/").expect("it is a constant");
    url.query_pairs_mut().append_key_only(text);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trunkline_workflow::history_policy::HistoryPolicy;

    use super::*;

    #[test]
    fn secrets_of_inputs_are_found_in_texts_that_hold_them() {
        let redaction = Redaction::new(&HistoryPolicy::default(), None, 100);
        let mut secrets = Secrets::default();
        let inputs =
            json!({"body": "a=b&client_secret=hush%20hush", "payload": "{\"password\": \"quiet!\"}"});
        secrets.add_inputs(&inputs, &redaction);
        assert_eq!(secrets.scrub("quiet! hush hush hush%20hush b"), "[redacted] [redacted] [redacted] b");
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let mut secrets = Secrets::default();
        secrets.add("p&ss \"word\"");
        secrets.add_header("Basic dXNlcjpodXNoLWh1c2g=");
        secrets.add_header("session=hush-cookie; theme=dark");
        secrets.add("short");
        for text in [
            "p&ss \"word\"",
            "a=p%26ss+%22word%22",
            r#"{"a":"p&ss \"word\""}"#,
            "hush-hush",
            "user:hush-hush",
            "hush-cookie",
            "dXNlcjpodXNoLWh1c2g=",
        ] {
            let scrubbed = secrets.scrub(text).into_owned();
            assert!(scrubbed.contains(REDACTED) && !scrubbed.contains("word"), "{scrubbed}");
            assert!(!scrubbed.contains("hush"), "{scrubbed}");
        }
        assert_eq!(secrets.scrub("in short"), "in short");
    }
}
