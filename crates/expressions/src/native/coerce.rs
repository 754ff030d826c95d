//! JavaScript's conversions and comparisons, as far as the fast path is certain of them.

use std::cmp::Ordering;

use super::number_text::number_text;
use super::value::{Stop, Val};

/// Whether a value counts as true.
pub(super) fn truthy(value: &Val<'_>) -> bool {
    match value {
        Val::Undefined | Val::Null => false,
        Val::Bool(value) => *value,
        Val::Number(number) => *number != 0.0 && !number.is_nan(),
        Val::Text(text) => !text.is_empty(),
        Val::Json(_) => true,
    }
}

/// The truth of a condition's text: `true` and `false` mean what they say, in any case and with blanks
/// around them; else a text is true when there is one (spec 3.4).
pub(crate) fn truth_of_text(text: &str) -> bool {
    let word = text.trim();
    word.eq_ignore_ascii_case("true") || (!word.eq_ignore_ascii_case("false") && !text.is_empty())
}

/// `ToNumber` of a value that is no object.
pub(super) fn to_number(value: &Val<'_>) -> Result<f64, Stop> {
    match value {
        Val::Undefined => Ok(f64::NAN),
        Val::Null => Ok(0.0),
        Val::Bool(value) => Ok(f64::from(u8::from(*value))),
        Val::Number(number) => Ok(*number),
        Val::Text(text) => text_to_number(text),
        Val::Json(_) => Err(Stop::Unsure),
    }
}

/// `ToString` of a value that is no object.
pub(super) fn to_text(value: &Val<'_>) -> Result<String, Stop> {
    match value {
        Val::Undefined => Ok("undefined".to_owned()),
        Val::Null => Ok("null".to_owned()),
        Val::Bool(value) => Ok(value.to_string()),
        Val::Number(number) => Ok(number_text(*number)),
        Val::Text(text) => Ok(text.clone().into_owned()),
        Val::Json(_) => Err(Stop::Unsure),
    }
}

/// The `==` of JavaScript.
#[expect(clippy::float_cmp, reason = "JavaScript compares numbers exactly")]
pub(super) fn loosely_equal(left: &Val<'_>, right: &Val<'_>) -> Result<bool, Stop> {
    let missing = |value: &Val<'_>| matches!(value, Val::Undefined | Val::Null);
    match (left, right) {
        _ if missing(left) || missing(right) => Ok(missing(left) && missing(right)),
        (Val::Text(_), Val::Text(_)) | (Val::Json(_), Val::Json(_)) => Ok(strictly_equal(left, right)),
        _ => Ok(to_number(left)? == to_number(right)?),
    }
}

/// The `===` of JavaScript. Objects are equal when they are the same one.
#[expect(clippy::float_cmp, reason = "JavaScript compares numbers exactly")]
pub(super) fn strictly_equal(left: &Val<'_>, right: &Val<'_>) -> bool {
    match (left, right) {
        (Val::Undefined, Val::Undefined) | (Val::Null, Val::Null) => true,
        (Val::Bool(left), Val::Bool(right)) => left == right,
        (Val::Number(left), Val::Number(right)) => left == right,
        (Val::Text(left), Val::Text(right)) => left == right,
        (Val::Json(left), Val::Json(right)) => std::ptr::eq(*left, *right),
        _ => false,
    }
}

/// The order of two values for `<` and its like; none when one is not a number.
pub(super) fn compare(left: &Val<'_>, right: &Val<'_>) -> Result<Option<Ordering>, Stop> {
    if let (Val::Text(left), Val::Text(right)) = (left, right) {
        // JavaScript orders texts by UTF-16 units, which is not the order of UTF-8.
        return Ok(Some(left.encode_utf16().cmp(right.encode_utf16())));
    }
    Ok(to_number(left)?.partial_cmp(&to_number(right)?))
}

/// JavaScript's white space and line ends.
pub(super) fn is_blank(letter: char) -> bool {
    matches!(
        letter,
        '\t'..='\r'
            | ' '
            | '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}'
            | '\u{feff}'
    )
}

fn text_to_number(text: &str) -> Result<f64, Stop> {
    let text = text.trim_matches(is_blank);
    // Longer numbers are left to QuickJS; they are no numbers that anybody compares.
    if text.len() > 40 {
        return Err(Stop::Unsure);
    }
    Ok(match text {
        "" => 0.0,
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => match text.get(..2) {
            Some("0x" | "0X" | "0o" | "0O" | "0b" | "0B") => return Err(Stop::Unsure),
            _ if is_decimal(text) => text.parse().map_err(|_| Stop::Unsure)?,
            _ => f64::NAN,
        },
    })
}

/// Whether a text is a decimal number as `Number` takes it: `[+-] 1 | 1. | 1.5 | .5` and an exponent.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_is_fine = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && whole.len() + fraction.len() > 0 && exponent_is_fine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers_as_in_javascript() {
        for (text, number) in [
            ("", 0.0),
            (" \u{feff}12\n", 12.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-1e3", -1000.0),
            ("+7", 7.0),
            ("1e400", f64::INFINITY),
            ("Infinity", f64::INFINITY),
        ] {
            assert_eq!(text_to_number(text), Ok(number), "{text}");
        }
        for text in [".", "e5", "1_0", "12px", "inf", "nan", "+-1", "1e", "1.2.3", "infinity"] {
            assert!(text_to_number(text).unwrap().is_nan(), "{text}");
        }
        assert_eq!(text_to_number("0x10"), Err(Stop::Unsure));
    }

    #[test]
    fn a_condition_text_may_say_true_or_false() {
        for (text, truth) in [("true", true), (" False ", false), ("", false), ("no", true), (" ", true)] {
            assert_eq!(truth_of_text(text), truth, "{text:?}");
        }
    }
}
