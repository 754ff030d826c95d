//! Numbers as JavaScript writes them.

use serde_json::{Number, Value};

/// `Number::toString` of ECMAScript, radix 10.
pub(crate) fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if let Some(integer) = small_integer(number) {
        return integer.to_string();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    // Rust's exponent form has the shortest digits that read back as the same number, as ECMAScript asks.
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("the exponent form has an exponent");
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = even_neighbour(number.abs(), &digits, exponent).unwrap_or(digits);
    let count = i32::try_from(digits.len()).expect("an f64 has at most 17 digits");
    let point = exponent.parse::<i32>().expect("the exponent is a small integer") + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = usize::try_from(point).unwrap_or(0);
    match point {
        _ if count <= point && point <= 21 => format!("{sign}{digits}{}", zeros(point - count)),
        1..=21 => format!("{sign}{}.{}", &digits[..split], &digits[split..]),
        -5..=0 => format!("{sign}0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{sign}{first}{dot}{rest}e{:+}", point - 1)
        }
    }
}

/// The other shortest digits of a number, if they are as close to it and even: of two such, ECMAScript takes
/// these, and Rust those above the number.
fn even_neighbour(number: f64, digits: &str, exponent: &str) -> Option<String> {
    /// So many digits after the first has none but zeros at its end, of any `f64`.
    const ALL: usize = 767;
    let (rest, last) = digits.split_at(digits.len() - 1);
    let last = last.parse::<u8>().ok().filter(|last| last % 2 == 1)?;
    let halfway = |places: usize| {
        let text = format!("{number:.places$e}");
        let tail = text.split_once('e')?.0.replace('.', "").split_off(digits.len());
        tail.strip_prefix('5')?.bytes().all(|digit| digit == b'0').then_some(text)
    };
    // The first look is cheap and lets few through.
    let exact = halfway(digits.len() + 1).and_then(|_| halfway(ALL))?;
    let below = exact.replace('.', "").starts_with(digits);
    let other = format!("{rest}{}", if below { last + 1 } else { last - 1 });
    let (first, fraction) = other.split_at(1);
    let read = format!("{first}.{fraction}e{exponent}").parse::<f64>();
    (other.len() == digits.len() && read == Ok(number)).then_some(other)
}

/// The number as JSON has it after a way through JavaScript: integers without a fraction, and null for
/// what JSON cannot say.
pub(crate) fn number_value(number: f64) -> Value {
    if let Some(integer) = small_integer(number) {
        return Value::from(integer);
    }
    if number.fract() == 0.0 && number.abs() < 1e21 {
        // Below 1e21 JavaScript writes all digits, so that a JSON reader sees an integer if it fits.
        let digits = number_text(number);
        if let Ok(integer) = digits.parse::<i64>() {
            return Value::from(integer);
        }
        if let Ok(integer) = digits.parse::<u64>() {
            return Value::from(integer);
        }
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// The number as an integer when it is one and is small enough to be exact.
pub(super) fn small_integer(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    #[expect(clippy::cast_possible_truncation, reason = "the number is whole and below 2^53")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (1e20, "100000000000000000000"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (123_456.789, "123456.789"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (-2_048_480_613_210_654.2, "-2048480613210654.2"),
            (2_048_480_613_210_654.8, "2048480613210654.8"),
            (2_048_480_613_210_655.2, "2048480613210655.2"),
            (5e-324 * 3.0, "1.5e-323"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(number_text(number), text);
        }
    }

    #[test]
    fn a_number_value_is_what_a_json_reader_makes_of_the_text() {
        for number in
            [0.0, -0.0, 1.0, 1.5, 1e15, 9.1e15, 1e18, -1e18, 1e19, -1e19, 1.8e19, 1e20, 1e21, 1e-9, 1e300]
        {
            let read: Value = serde_json::from_str(&number_text(number)).unwrap();
            assert_eq!(number_value(number), read, "{number}");
        }
        assert_eq!(number_value(f64::NAN), Value::Null);
        assert_eq!(number_value(f64::INFINITY), Value::Null);
    }
}
