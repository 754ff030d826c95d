//! Who calls the platform (Workflows API 3).

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Every API key with a secret is good, and every token: nothing looks them up.
pub(super) fn has_credentials(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some((scheme, credential)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        is_key_and_secret(credential)
    } else {
        is_token(scheme, credential)
    }
}

fn is_key_and_secret(encoded: &str) -> bool {
    let pair = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
    pair.is_some_and(|(key, secret)| !key.is_empty() && !secret.is_empty())
}

fn is_token(scheme: &str, token: &str) -> bool {
    scheme.eq_ignore_ascii_case("bearer")
        && token.split('.').count() == 3
        && token.split('.').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::has_credentials;

    #[test]
    fn a_key_with_a_secret_or_a_token_is_asked_for() {
        for (values, good) in [
            (&["Basic azpz"][..], true),
            (&["basic azpz"], true),
            (&["Bearer a.b.c"], true),
            (&["BEARER a.b.c"], true),
            (&[], false),
            (&["azpz"], false),
            (&["Basic"], false),
            (&["Basic k:s"], false),
            (&["Basic azo="], false),
            (&["Basic OnM="], false),
            (&["Bearer abc"], false),
            (&["Bearer a..c"], false),
            (&["Digest azpz"], false),
            (&["Basic azpz", "Bearer a.b.c"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(has_credentials(&headers), good, "{values:?}");
        }
    }
}
