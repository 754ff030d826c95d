//! Unicode simple case folding, made of the single-letter case mappings of the standard library.

/// The text with letter case taken out.
pub(super) fn fold_case(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

fn fold_char(letter: char) -> char {
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    // The dotless i is no case of i, although its capital is I.
    if letter == 'ı' {
        return letter;
    }
    let upper = only(letter.to_uppercase()).unwrap_or(letter);
    only(upper.to_lowercase()).unwrap_or(upper)
}

/// The mapping if it is one letter: simple folding ignores those that are several.
fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next()?;
    letters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_in_case_fold_alike() {
        for (one, other) in [("WoR", "wOr"), ("Straße", "STRAẞE"), ("ΟΔΟΣ", "οδος"), ("ДА", "да"), ("ſ", "S")]
        {
            assert_eq!(fold_case(one), fold_case(other), "{one} {other}");
        }
    }

    #[test]
    fn different_letters_stay_different() {
        for (one, other) in [("ı", "i"), ("ß", "ss"), ("é", "e"), ("İ", "i")] {
            assert_ne!(fold_case(one), fold_case(other), "{one} {other}");
        }
    }
}
