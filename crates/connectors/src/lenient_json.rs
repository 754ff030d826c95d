//! Reads JSON whose strings may hold half of a surrogate pair.
//!
//! Programs that keep text as UTF-16 cut it in the middle of an emoji and then write `"\ud83d"`,
//! which is JSON by its grammar and no Unicode text. Such a half becomes U+FFFD.

use serde_json::Value;

/// The value of this JSON text. Only escapes are mended; every other fault is the error.
pub fn lenient_json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).or_else(|error| match without_lone_surrogates(bytes) {
        Some(mended) => serde_json::from_slice(&mended),
        None => Err(error),
    })
}

/// `\uXXXX`
const ESCAPE: usize = 6;

/// The text with `\ufffd` for every surrogate escape without its other half, if there is one.
fn without_lone_surrogates(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(|&byte| byte == b'\\') {
        at += offset;
        at += match escaped_unit(&bytes[at..]) {
            Some(0xd800..=0xdbff) if matches!(escaped_unit(&bytes[at + ESCAPE..]), Some(0xdc00..=0xdfff)) => {
                2 * ESCAPE
            }
            Some(0xd800..=0xdfff) => {
                mended.extend_from_slice(&bytes[copied..at]);
                mended.extend_from_slice(br"\ufffd");
                copied = at + ESCAPE;
                ESCAPE
            }
            Some(_) => ESCAPE,
            // Two characters, so that the second backslash of `\\` does not begin an escape.
            None => 2.min(bytes.len() - at),
        };
    }
    if copied == 0 {
        return None;
    }
    mended.extend_from_slice(&bytes[copied..]);
    Some(mended)
}

/// The UTF-16 unit of the escape that this text begins with.
fn escaped_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lenient_json;

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        for (text, value) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\uDFFF""#, "\u{fffd}"),
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ud83d!""#, "\u{fffd}!"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83d\n\ude00\u0041""#, "\u{fffd}\n\u{fffd}A"),
            (r#""\\\ud800""#, "\\\u{fffd}"),
        ] {
            assert_eq!(lenient_json(text.as_bytes()).unwrap(), json!(value), "{text}");
        }
        let object = lenient_json(r#"{"\udc00": ["é", "\ud800"], "n": 1.50}"#.as_bytes()).unwrap();
        assert_eq!(object, json!({"\u{fffd}": ["é", "\u{fffd}"], "n": 1.50}));
    }

    #[test]
    fn what_stands_beside_a_lone_half_stays() {
        for (text, value) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d\ude00 \ud800""#, "😀 \u{fffd}"),
            (r#""\\ud800""#, r"\ud800"),
            (r#""\\ud800 \ud800""#, "\\ud800 \u{fffd}"),
            (r#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
        ] {
            assert_eq!(lenient_json(text.as_bytes()).unwrap(), json!(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in
            ["", "\\", "\"\\", r#""\ud8"#, r#""\ud800"#, r#"{"a": "\ud800""#, r#""\u+800""#, r"\ud800", "<"]
        {
            assert!(lenient_json(text.as_bytes()).is_err(), "{text}");
        }
        assert!(lenient_json(b"\"\\ud800\xff\"").is_err());
    }
}
