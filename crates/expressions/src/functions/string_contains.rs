//! `stringContains(source, value, ignoreCase)`.

use super::fold_case::fold_case;

/// Tells whether `value` occurs in `source`. An empty `value` occurs everywhere; without one of the two
/// texts the answer is no.
pub fn string_contains(source: Option<&str>, value: Option<&str>, ignore_case: bool) -> bool {
    let (Some(source), Some(value)) = (source, value) else {
        return false;
    };
    if ignore_case { fold_case(source).contains(&fold_case(value)) } else { source.contains(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_213_letter_case_counts_unless_told_otherwise() {
        assert!(!string_contains(Some("hello, world"), Some("WOR"), false));
        assert!(string_contains(Some("hello, world"), Some("WOR"), true));
        assert!(string_contains(Some("Straße"), Some("STRAẞE"), true));
    }

    #[test]
    fn c_214_without_a_text_the_answer_is_no() {
        assert!(!string_contains(None, Some("x"), false));
        assert!(!string_contains(Some("x"), None, true));
        assert!(string_contains(Some("x"), Some(""), false));
    }
}
