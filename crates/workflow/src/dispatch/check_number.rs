//! What addresses look like (Dispatch 4.3, 4.7). A flaw is to be read after the member's name.

type Flaw = &'static str;

/// Of a recipient, and of a sender on WhatsApp.
pub(super) fn check_phone_number(number: &str) -> Result<(), Flaw> {
    check_prefix(number)?;
    check_digits(number)?;
    if number.starts_with('0') {
        return Err("must not start with 0");
    }
    if !(7..=15).contains(&number.len()) {
        return Err("must have 7 to 15 digits");
    }
    Ok(())
}

/// Digits, or a name.
pub(super) fn check_sms_sender(sender: &str) -> Result<(), Flaw> {
    check_prefix(sender)?;
    let length = sender.chars().count();
    let is_number = sender.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = sender.chars().any(char::is_alphabetic)
        && sender.chars().all(|char| char.is_alphabetic() || char.is_ascii_digit() || char == ' ');
    if is_number && (3..=15).contains(&length) || is_name && length <= 11 {
        Ok(())
    } else {
        Err("must have 3 to 15 digits, or 1 to 11 letters, digits and spaces with at least one letter")
    }
}

pub(super) fn check_mms_sender(sender: &str) -> Result<(), Flaw> {
    check_prefix(sender)?;
    check_digits(sender)?;
    if (3..=15).contains(&sender.len()) { Ok(()) } else { Err("must have 3 to 15 digits") }
}

/// Of a page, of its visitor, or of a service.
pub(super) fn check_id(id: &str) -> Result<(), Flaw> {
    if !(1..=50).contains(&id.chars().count()) {
        return Err("must have 1 to 50 characters");
    }
    if id.chars().any(char::is_control) {
        return Err("must not have control characters");
    }
    Ok(())
}

fn check_prefix(number: &str) -> Result<(), Flaw> {
    if number.is_empty() {
        Err("must not be empty")
    } else if number.starts_with('+') {
        Err("must not start with +")
    } else if number.starts_with("00") {
        Err("must not start with 00")
    } else {
        Ok(())
    }
}

fn check_digits(number: &str) -> Result<(), Flaw> {
    if number.bytes().all(|byte| byte.is_ascii_digit()) { Ok(()) } else { Err("must consist of digits") }
}
