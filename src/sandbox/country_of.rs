//! The country that a number belongs to.

/// Two capital letters; `None` when the number does not tell.
pub(super) fn country_of(number: &str) -> Option<String> {
    let number = format!("+{}", number.trim_start_matches('+'));
    let country = phonenumber::parse(None, number).ok()?.country().id()?;
    Some(country.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::country_of;

    #[test]
    fn a_country_is_told_from_the_number() {
        for (number, country) in [
            ("+6590001111", Some("SG")),
            ("84912345678", Some("VN")),
            ("private", None),
            ("+9990001111", None),
        ] {
            assert_eq!(country_of(number).as_deref(), country, "{number}");
        }
    }
}
