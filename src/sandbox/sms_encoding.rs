//! How many parts a text takes, and in which alphabet (3GPP 23.038).

const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Written with an escape, so they take two places.
const GSM7_ESCAPED: &str = "\u{c}^{}\\[~]|€";

/// `GSM7` if the text can be written in it, else `UCS2`.
pub(super) fn encoding_of(text: &str) -> &'static str {
    if text.chars().all(|c| GSM7.contains(c) || GSM7_ESCAPED.contains(c)) { "GSM7" } else { "UCS2" }
}

/// Parts of a text in its own encoding; at least one.
pub(super) fn parts_of(text: &str) -> usize {
    let (length, alone, joined) = match encoding_of(text) {
        "GSM7" => (text.chars().map(|c| 1 + usize::from(GSM7_ESCAPED.contains(c))).sum(), 160, 153),
        _ => (text.encode_utf16().count(), 70, 67),
    };
    if length <= alone { 1 } else { length.div_ceil(joined) }
}

#[cfg(test)]
mod tests {
    use super::{encoding_of, parts_of};

    #[test]
    fn the_encoding_follows_the_text() {
        for text in ["", "STOP", "Grüße @ 5 €", "{}[]"] {
            assert_eq!(encoding_of(text), "GSM7", "{text}");
        }
        for text in ["ç", "你好", "👍"] {
            assert_eq!(encoding_of(text), "UCS2", "{text}");
        }
    }

    #[test]
    fn long_texts_take_several_parts() {
        for (text, parts) in [
            (String::new(), 1),
            ("x".repeat(160), 1),
            ("x".repeat(161), 2),
            ("x".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("你".repeat(70), 1),
            ("你".repeat(71), 2),
            ("👍".repeat(36), 2),
        ] {
            assert_eq!(parts_of(&text), parts, "{text}");
        }
    }
}
