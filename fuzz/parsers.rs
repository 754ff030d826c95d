//! What must hold of everything that strangers' bytes go through, whatever they are. The fuzz targets call these, and
//! so does `tests/it/parsers.rs` with what is kept in `corpus`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::inbound;
use trunkline_connectors::eight_by_eight::voice_inbound::{VoiceInbound, parse_dtmf_callback, parse_voice};
use trunkline_connectors::messages_api::{
    ApplicationToken, parse_inbound, parse_status, verify_webhook_token,
};
use trunkline_expressions::{Template, check_scripts};
use trunkline_workflow::definition::{self, ScriptPlace, Severity};
use trunkline_workflow::{strict_json, timespan};

#[allow(dead_code, reason = "the fuzz targets name theirs")]
type Parser = fn(&[u8]);

/// Each by the name of its folder in `corpus`.
#[allow(dead_code, reason = "the fuzz targets name theirs")]
pub const PARSERS: [(&str, Parser); 6] = [
    ("template", template),
    ("script", script),
    ("timespan", timespan),
    ("webhook", webhook),
    ("jwt", jwt),
    ("application_token", application_token),
];

/// A text with scripts in it, or a whole definition: it compiles exactly if the check finds nothing, and without a
/// script it stays as it is.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check_at_every_place(&json!(text));
    if let Ok(template) = Template::compile(&json!(text))
        && let Some(constant) = template.constant()
    {
        assert_eq!(constant, text, "a text without scripts is itself");
    }
    if let Ok(value) = strict_json::read(bytes) {
        check_at_every_place(&value);
        let problems = definition::check(bytes, &check_scripts);
        assert_eq!(
            definition::parse(bytes, &check_scripts).is_ok(),
            problems.iter().all(|problem| problem.severity != Severity::Error)
        );
    }
}

/// One script.
pub fn script(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check_at_every_place(&json!(format!("{{{{{text}}}}}")));
    check_at_every_place(&json!(text));
}

fn check_at_every_place(value: &Value) {
    for (place, compiles) in [
        (ScriptPlace::Inputs, Template::compile(value).is_ok()),
        (ScriptPlace::Output, Template::compile_output(value).is_ok()),
        (ScriptPlace::Condition, Template::compile_condition(value).is_ok()),
    ] {
        assert_eq!(check_scripts(place, value).is_empty(), compiles, "{value}");
    }
}

/// Never longer than what a wait may be, and the same with blanks around it.
pub fn timespan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = timespan::parse(text);
    assert_eq!(timespan::parse(&format!(" {text}\n")).ok(), parsed.as_ref().ok().copied());
    assert_eq!(timespan::from_value(&json!(text)), parsed);
    let Ok(duration) = parsed else { return };
    assert!(duration.as_secs() <= 3650 * 86_400, "{text}");
    let seconds = duration.as_secs();
    let written = format!(
        "{}.{}:{}:{}.{:07}",
        seconds / 86_400,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        duration.subsec_nanos() / 100
    );
    assert_eq!(timespan::parse(&written), Ok(duration), "{text} is {written}");
}

/// A body that a provider may have sent: whoever reads it says what it is or why not.
pub fn webhook(bytes: &[u8]) {
    let Ok(body) = strict_json::read(bytes) else { return };
    let again: Value = serde_json::from_slice(bytes).expect("what the strict reader takes is JSON");
    assert_eq!(again, body, "two readers differ");
    if let Ok(inbound::Inbound::Message(message)) = inbound::parse(&body) {
        assert!(message.reply_keys().iter().chain([&message.dedupe_key]).all(|key| is_storable(key)));
    }
    let _ = VoiceInbound::is_call_action(&body);
    let _ = parse_voice(&body);
    if let Ok(keys) = parse_dtmf_callback(&body) {
        assert!(keys.ids().iter().chain([&keys.dedupe_key]).all(|key| is_storable(key)));
    }
    if let Ok(status) = parse_status(&body) {
        let _ = status.message_uuid();
        assert!(is_storable(&status.dedupe_key()));
    }
    let _ = parse_inbound(&body);
}

/// PostgreSQL's text has no NUL.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// A token: whatever it says, nobody who has another secret believes it.
pub fn jwt(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let header = format!("Bearer {token}");
    let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
    for header in [token, &header] {
        assert!(
            verify_webhook_token("a secret that nobody has signed with", header, now).is_err(),
            "{token}"
        );
        if let Ok(claims) = verify_webhook_token("signature-secret", header, now) {
            let _ = claims.verify_body(bytes);
        }
    }
}

/// A token that an application signed: as it is sent, or its header, claims and signature on three lines, which
/// altered bytes leave readable.
pub fn application_token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    read_application_token(text);
    let parts: Vec<String> = text.splitn(3, '\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    read_application_token(&parts.join("."));
}

/// Whoever reads it finds one spelling of what was signed, and it is good for a day at most.
fn read_application_token(text: &str) {
    const DAY: i64 = 86_400;
    const SKEW: i64 = 60;
    let Some(token) = ApplicationToken::read(text) else { return };
    let signed = std::str::from_utf8(token.signed()).expect("a part of a text");
    let (header, claims) = signed.split_once('.').expect("a header and claims");
    for part in [header, claims] {
        let decoded = URL_SAFE_NO_PAD.decode(part).expect("it was read");
        assert_eq!(URL_SAFE_NO_PAD.encode(decoded), part, "another spelling of the same bytes");
    }
    if let Some(signature) = token.signature() {
        assert_eq!(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), text);
    }
    for now in [i64::MIN, 0, 1_700_000_000, i64::MAX] {
        let later = now.checked_add(DAY + 2 * SKEW + 1).filter(|_| token.check_times(now).is_ok());
        assert!(later.is_none_or(|later| token.check_times(later).is_err()), "{text}");
    }
    for path in ["/v0.1/dispatch", "/", ""] {
        assert_eq!(token.covers(path), token.covers(&format!("{path}/")), "{text}");
    }
}
