//! Users as channels name them: phone numbers in many spellings, and ids.

/// Phone numbers are compared by their digits, everything else exactly: `+65 9000-1111`,
/// `006590001111` and `6590001111` are one user, while `WhatsApp` and LINE user ids keep their case.
///
/// Normalising twice changes nothing.
pub fn normalise_identity(identity: &str) -> String {
    phone_digits(identity).unwrap_or_else(|| identity.to_owned())
}

/// The digits of a phone number without its dialling prefix; `None` for what is no number.
pub fn phone_digits(identity: &str) -> Option<String> {
    let trimmed = identity.trim();
    let number = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let is_number =
        number.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '-' | '(' | ')'));
    if !is_number {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    // No country code begins with 0, so every leading pair is a dialling prefix.
    let mut significant = digits.as_str();
    while let Some(rest) = significant.strip_prefix("00") {
        significant = rest;
    }
    (!significant.is_empty()).then(|| significant.to_owned())
}
