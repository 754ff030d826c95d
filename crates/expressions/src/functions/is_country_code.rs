//! `isCountryCode(phoneNumber, countryCode)`.

use phonenumber::metadata::DATABASE;

/// The longest number of E.164 has 15 digits; the shortest one that could mean something has three.
const DIGITS: std::ops::RangeInclusive<usize> = 3..=15;

/// Tells whether a phone number belongs to a country (ISO 3166-1 alpha-2, any letter case). Validity is
/// not asked for: a number that no region knows counts as one of its calling code's main region. A
/// business-scoped user id (`SG.9081…`) is compared by its prefix. Without a text, or for one that is no
/// number, the answer is no.
pub fn is_country_code(number: Option<&str>, country: Option<&str>) -> bool {
    let (Some(number), Some(country)) = (number, country) else {
        return false;
    };
    let country = country.trim();
    if let Some(scope) = scope_of_user_id(number.trim()) {
        return scope.eq_ignore_ascii_case(country);
    }
    region_of_number(number).is_some_and(|region| region.eq_ignore_ascii_case(country))
}

/// Reads the tables of calling codes if that was not done yet: it takes as long as many scripts.
pub fn load_calling_codes() {
    let _ = DATABASE.region(&65);
}

/// The country of `XX.…`.
fn scope_of_user_id(number: &str) -> Option<&str> {
    let (scope, _) = number.split_once('.')?;
    (scope.len() == 2 && scope.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some(scope)
}

fn region_of_number(number: &str) -> Option<String> {
    let ignored = |letter: char| letter.is_whitespace() || matches!(letter, '-' | '(' | ')');
    let number: String = number.chars().filter(|letter| !ignored(*letter)).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    if !DIGITS.contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let regions = regions_of_calling_code(digits)?;
    // A calling code of one region needs no look at the rest of the number.
    if regions.len() > 1
        && let Ok(number) = phonenumber::parse(None, format!("+{digits}"))
        && let Some(region) = number.country().id()
    {
        return Some(region.as_ref().to_owned());
    }
    regions.first().map(|region| (*region).to_owned())
}

/// The regions of the longest calling code that the number starts with, the main region first.
fn regions_of_calling_code(digits: &str) -> Option<Vec<&'static str>> {
    (1..=3).rev().find_map(|length| {
        let code: u16 = digits.get(..length)?.parse().ok()?;
        DATABASE.region(&code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(number: &str, country: &str) -> bool {
        is_country_code(Some(number), Some(country))
    }

    #[test]
    fn c_211_the_calling_code_decides_with_or_without_plus() {
        assert!(is("+6512345678", "SG"));
        assert!(!is("+6512345678", "US"));
        assert!(is("6512345678", "SG"));
        assert!(is("+65 (1234) 56-78", "sg"));
    }

    #[test]
    fn c_212_a_user_id_is_compared_by_its_prefix() {
        assert!(is("SG.90817263544536271", "sg"));
        assert!(!is("SG.90817263544536271", "MY"));
    }

    #[test]
    fn regions_that_share_a_calling_code_are_told_apart() {
        assert!(is("+14165550123", "CA"));
        assert!(!is("+14165550123", "US"));
        assert!(is("+12125550123", "US"));
        assert!(is("+77011234567", "KZ"));
    }

    #[test]
    fn a_number_of_no_region_counts_for_the_main_one() {
        assert!(is("+10000000000", "US"));
        assert!(is("+70000000000", "RU"));
        assert!(is("+440000000000", "GB"));
        assert!(is("+393331234567", "IT"));
    }

    #[test]
    fn what_is_no_number_belongs_nowhere() {
        for number in ["", "+", "hello", "12a4567", "+999123456", "65"] {
            assert!(!is(number, "SG"), "{number}");
        }
        assert!(!is_country_code(None, Some("SG")));
        assert!(!is_country_code(Some("+6512345678"), None));
    }
}
