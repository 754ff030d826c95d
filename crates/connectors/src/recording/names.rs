//! What the name of a header, a member or a parameter says about its value.

/// Anywhere in a name, whose letters are compared in lower case and without what stands between words.
const SECRET_PARTS: [&str; 12] = [
    "authorization",
    "authentication",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "signature",
    "credential",
    "cookie",
    "bearer",
    "jwt",
];
const SECRETS: [&str; 8] = ["auth", "xauth", "sig", "pwd", "pass", "hmac", "pin", "otp"];
/// Keys that open nothing.
const OPEN_KEYS: [&str; 2] = ["idempotencykey", "primarykey"];

/// Values that say what became of something, and nothing about anybody.
const PLAIN: [&str; 52] = [
    "accept",
    "accountid",
    "actiontype",
    "age",
    "allow",
    "attempt",
    "batchid",
    "cachecontrol",
    "channel",
    "code",
    "contentlength",
    "contenttype",
    "count",
    "createdat",
    "currency",
    "date",
    "duration",
    "encoding",
    "errorcode",
    "errorid",
    "event",
    "eventtype",
    "expiry",
    "idempotencykey",
    "maxdigits",
    "messageid",
    "messagetype",
    "messageuuid",
    "method",
    "mindigits",
    "namespace",
    "price",
    "reasonphrase",
    "requestid",
    "responsecode",
    "retryafter",
    "scheduled",
    "server",
    "sessionid",
    "state",
    "status",
    "statuscode",
    "subaccountid",
    "ticketid",
    "timeout",
    "timeoutseconds",
    "timestamp",
    "type",
    "uid",
    "umid",
    "updatedat",
    "workflowid",
];

/// `X-Api-Key`, `apiKey` and `api_key` are the same name.
pub(super) fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Of a [`normal`] name.
pub(super) fn is_secret(name: &str) -> bool {
    SECRET_PARTS.iter().any(|part| name.contains(part))
        || SECRETS.contains(&name)
        || name.ends_with("key") && !OPEN_KEYS.contains(&name)
}

/// Of a [`normal`] name.
pub(super) fn is_plain(name: &str) -> bool {
    PLAIN.binary_search(&name).is_ok() || name.contains("ratelimit")
}

/// What no word and no number looks like: a key or token that stands in a path, or under a name that says nothing.
pub(super) fn looks_like_a_token(text: &str) -> bool {
    let (mut letters, mut digits) = (false, false);
    for c in text.chars() {
        match c {
            '0'..='9' => digits = true,
            'a'..='z' | 'A'..='Z' => letters = true,
            '-' | '_' | '.' | '~' | ':' | '=' | '+' | '/' | '%' => {}
            _ => return false,
        }
    }
    text.len() >= 16 && letters && digits
}

/// Seven digits or more in it: a phone number, or somebody's number of another kind.
pub(super) fn holds_a_number(text: &str) -> bool {
    digits(text) >= 7
}

pub(super) fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_sorted_and_none_of_them_is_secret() {
        assert!(PLAIN.is_sorted(), "they are searched by halves");
        assert!(PLAIN.iter().all(|name| !is_secret(name)));
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "Authorization",
            "proxy-authorization",
            "X-Api-Key",
            "apiKey",
            "access_token",
            "client-secret",
            "Set-Cookie",
            "X-Hub-Signature-256",
            "Ocp-Apim-Subscription-Key",
            "sig",
            "Password",
        ] {
            assert!(is_secret(&normal(name)), "{name}");
        }
        for name in ["Idempotency-Key", "keyboard", "text", "signed", "assignee", "to", "content-type"] {
            assert!(!is_secret(&normal(name)), "{name}");
        }
    }

    #[test]
    fn tokens_are_known_by_their_look() {
        for text in ["xoxb7Zk3Qm9LtWv2Rs", "123456:ABC-DEF1234ghIkl", "0d9c2f60-1111-4a2b-9d3e-5b1f0a7c8e21"]
        {
            assert!(looks_like_a_token(text), "{text}");
        }
        for text in ["subaccounts", "acme_sms", "v1", "6590001111000000000", "größere-wörter-mit-1"] {
            assert!(!looks_like_a_token(text), "{text}");
        }
    }
}
