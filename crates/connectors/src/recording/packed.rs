//! Texts that hold JSON or the values of a form, as somebody packs them for a system that wants a text: what is secret in
//! them by its name is so there, too.

use serde_json::Value;

use super::redact_json::JsonRedactor;
use super::redaction::Redaction;
use super::secrets::{REDACTED, Secrets};

/// `None`: it holds nothing of the kind, or nothing that is secret.
pub(super) fn redact_packed(text: &str, redaction: &Redaction, secrets: &Secrets) -> Option<String> {
    if let Some(value) = json_in(text) {
        let by = JsonRedactor { redaction, secrets, limit: usize::MAX };
        return holds_secret(&value, redaction)
            .then(|| by.bytes(text.as_bytes()))?
            .map(|written| written.text);
    }
    let mut hides = false;
    let pairs: Vec<String> = form_in(text)?
        .map(|(name, value)| {
            let is_hidden = !value.is_empty() && redaction.is_secret(name);
            hides |= is_hidden;
            format!("{name}={}", if is_hidden { REDACTED } else { value })
        })
        .collect();
    hides.then(|| pairs.join("&"))
}

/// An object or array that the text is.
pub(super) fn json_in(text: &str) -> Option<Value> {
    if text.trim_start().starts_with(['{', '[']) { serde_json::from_str(text).ok() } else { None }
}

/// Names and values, as they are written.
pub(super) fn form_in(text: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let is_form = text.contains('=')
        && !text.contains(char::is_whitespace)
        && text.split('&').all(|pair| pair.contains('='));
    is_form.then(|| text.split('&').filter_map(|pair| pair.split_once('=')))
}

fn holds_secret(value: &Value, redaction: &Redaction) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            redaction.is_secret(name) && !value.is_null() || holds_secret(value, redaction)
        }),
        Value::Array(values) => values.iter().any(|value| holds_secret(value, redaction)),
        Value::String(text) => match json_in(text) {
            Some(value) => holds_secret(&value, redaction),
            None => form_in(text).is_some_and(|mut pairs| pairs.any(|(name, _)| redaction.is_secret(name))),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
