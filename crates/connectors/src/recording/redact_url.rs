//! URLs without what opens something: credentials, tokens, and, unless bodies are kept, who it is about.

use reqwest::Url;

use super::names::{holds_a_number, is_plain, is_secret, looks_like_a_token, normal};
use super::redaction::Redaction;
use super::secrets::{REDACTED, Secrets};

/// Characters that are kept of one.
const LONGEST: usize = 2048;

/// Nothing but one.
pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.trim().split_once("://") else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
        && !rest.contains(char::is_whitespace)
}

/// A text, with the URLs in it redacted.
pub(super) fn redact_links(text: &str, redaction: &Redaction, secrets: &Secrets) -> String {
    let word = |word: &str| {
        let Some(at) = ["https://", "http://"].iter().find_map(|scheme| word.find(scheme)) else {
            return word.to_owned();
        };
        let (before, link) = word.split_at(at);
        let url = link.trim_end();
        format!("{before}{}{}", redact_url(url, redaction, secrets), &link[url.len()..])
    };
    text.split_inclusive(char::is_whitespace).map(word).collect()
}

/// Without credentials and fragment.
pub(super) fn redact_url(text: &str, redaction: &Redaction, secrets: &Secrets) -> String {
    let Ok(url) = Url::parse(text.trim()) else {
        return redaction.stand_in(text.as_bytes(), &format!("{} characters", text.chars().count()));
    };
    let Some(segments) = url.path_segments() else { return format!("{}:{REDACTED}", url.scheme()) };
    let mut redacted = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        redacted.push(':');
        redacted.push_str(&port.to_string());
    }
    for segment in segments {
        redacted.push('/');
        if looks_like_a_token(segment) || !redaction.keeps() && holds_a_number(segment) {
            redacted.push_str(REDACTED);
        } else {
            redacted.push_str(segment);
        }
    }
    let mut separator = '?';
    for (name, value) in pairs(&url) {
        redacted.push(separator);
        separator = '&';
        // Without a name it is what a name would be of.
        let Some(value) = value else {
            redacted.push_str(if redaction.keeps() && !looks_like_a_token(name) { name } else { REDACTED });
            continue;
        };
        redacted.push_str(name);
        redacted.push('=');
        let is_open = redaction.keeps() || is_plain(&normal(name)) && !holds_a_number(value);
        let is_hidden = redaction.is_secret(name) || looks_like_a_token(value) || !is_open;
        redacted.push_str(if is_hidden && !value.is_empty() { REDACTED } else { value });
    }
    let scrubbed = secrets.scrub(&redacted);
    scrubbed.chars().take(LONGEST).collect()
}

/// Name and value of each parameter as they are written.
fn pairs(url: &Url) -> impl Iterator<Item = (&str, Option<&str>)> {
    url.query().into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        }
    })
}

/// What in it opens something, as it is written and as it is meant.
pub(super) fn secrets_of_url(text: &str, redaction: &Redaction) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let Some(url) = is_url(text).then(|| Url::parse(text.trim()).ok()).flatten() else { return found };
    let mut add = |written: &str| {
        found.push(written.to_owned());
        // A parameter of nothing else, to be decoded.
        let decoded = Url::parse(&format!("http://h/?{written}")).ok();
        let decoded = decoded.and_then(|url| Some(url.query_pairs().next()?.0.into_owned()));
        found.extend(decoded.filter(|decoded| decoded != written));
    };
    match url.password() {
        Some(password) => add(password),
        // Alone it is a token.
        None if !url.username().is_empty() => add(url.username()),
        None => {}
    }
    for segment in url.path_segments().into_iter().flatten().filter(|segment| looks_like_a_token(segment)) {
        add(segment);
    }
    for (name, value) in pairs(&url) {
        let written = value.unwrap_or(name);
        if looks_like_a_token(written) || value.is_some() && redaction.is_secret(name) {
            add(written);
        }
    }
    found
}

/// A URL for faults: without credentials, and without the values of parameters that are secrets by their names. `None`:
/// there is nothing in it.
pub(crate) fn without_secrets(text: &str) -> Option<String> {
    let mut url = Url::parse(text.trim()).ok()?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    let hides = |name: &str| is_secret(&normal(name));
    let has_secrets = pairs(&url).any(|(name, value)| value.is_some() && hides(name));
    if !has_credentials && !has_secrets {
        return None;
    }
    let removed = url.set_username("").and_then(|()| url.set_password(None));
    if has_credentials && removed.is_err() {
        return Some(String::new());
    }
    if has_secrets {
        let query: Vec<String> = pairs(&url)
            .map(|(name, value)| match value {
                Some(_) if hides(name) => format!("{name}={REDACTED}"),
                Some(value) => format!("{name}={value}"),
                None => name.to_owned(),
            })
            .collect();
        url.set_query(Some(&query.join("&")));
    }
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use trunkline_workflow::history_policy::{Bodies, HistoryPolicy};

    use super::*;

    fn redacted(bodies: Bodies, url: &str) -> String {
        let policy = HistoryPolicy { bodies, ..HistoryPolicy::default() };
        redact_url(url, &Redaction::new(&policy, None, 4096), &Secrets::default())
    }

    #[test]
    fn what_opens_something_is_out_of_urls() {
        for (url, kept) in [
            ("https://user:hush@h.example:8443/a/b", "https://h.example:8443/a/b"),
            ("HTTPS://h/hooks/T01/B02/Zk3Qm9LtWv2Rs7Xy#top", "https://h/hooks/T01/B02/[redacted]"),
            ("https://h/?api_key=abc&page=2&x", "https://h/?api_key=[redacted]&page=2&x"),
            ("https://h/?Zk3Qm9LtWv2Rs7Xy", "https://h/?[redacted]"),
            ("https://h/?code=Zk3Qm9LtWv2Rs7Xy&e=", "https://h/?code=[redacted]&e="),
            ("https://h/customers/+6590001111", "https://h/customers/+6590001111"),
            ("mailto:ann@h.example", "mailto:[redacted]"),
        ] {
            assert_eq!(redacted(Bodies::Keep, url), kept);
        }
    }

    #[test]
    fn links_in_texts_are_urls_too() {
        let policy = HistoryPolicy { bodies: Bodies::Keep, ..HistoryPolicy::default() };
        let redaction = Redaction::new(&policy, None, 4096);
        let links = |text: &str| redact_links(text, &redaction, &Secrets::default());
        assert_eq!(
            links("Reset (https://h/r?token=abc)\nor call  us"),
            "Reset (https://h/r?token=[redacted]\nor call  us"
        );
        assert_eq!(links("no link: a://b"), "no link: a://b");
    }

    #[test]
    fn who_it_is_about_is_out_of_urls_unless_bodies_are_kept() {
        for (url, kept) in [
            ("https://h/customers/+6590001111/orders", "https://h/customers/[redacted]/orders"),
            (
                "https://h/find?name=Ann&status=open&Ann",
                "https://h/find?name=[redacted]&status=open&[redacted]",
            ),
        ] {
            assert_eq!(redacted(Bodies::Redact, url), kept);
        }
    }

    #[test]
    fn secrets_of_a_url_are_known_in_both_spellings() {
        let redaction = Redaction::new(&HistoryPolicy::default(), None, 4096);
        let url = "https://u:p%40ss@h/x?token=a%20b&page=1";
        assert_eq!(secrets_of_url(url, &redaction), ["p%40ss", "p@ss", "a%20b", "a b"]);
        assert!(secrets_of_url("user:p@ss", &redaction).is_empty());
    }
}
