//! The helpers by name, and one way to call them for both evaluators.

use std::borrow::Cow;

use super::{is_country_code, is_day_of_week, is_time_of_day_between, string_contains};

/// Why a helper gave no answer; the text is the detail of the step's fault. Values are quoted by their
/// beginning: the engine keeps no longer messages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    #[error("`{0}` is not a known time zone.")]
    UnknownTimeZone(String),
    #[error("`{0}` is not an ISO 8601 timestamp.")]
    InvalidTimestamp(String),
    #[error("`{0}` is not a time of day.")]
    InvalidTimeOfDay(String),
    #[error("`{0}` is not the name of a day.")]
    UnknownDay(String),
}

/// A random UUID (version 4), in lower case with hyphens.
pub fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The helpers that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Helper {
    IsCountryCode,
    StringContains,
    IsTimeOfDayBetween,
    IsDayOfWeek,
    Uuid,
}

/// An argument as a helper takes it: its text (null and undefined have none) and its truth.
pub(crate) struct Argument<'a> {
    pub text: Option<Cow<'a, str>>,
    pub truth: bool,
}

pub(crate) enum Answer {
    Truth(bool),
    Text(String),
}

/// The beginning of a value, fit for a message.
pub(super) fn excerpt(value: &str) -> String {
    const CHARACTERS: usize = 40;
    let plain = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut excerpt: String = value.chars().map(plain).take(CHARACTERS).collect();
    if value.chars().nth(CHARACTERS).is_some() {
        excerpt.push('…');
    }
    excerpt
}

impl Helper {
    /// The helper of a name; every name may also start with a capital.
    pub fn named(name: &str) -> Option<Helper> {
        Some(match name {
            "isCountryCode" | "IsCountryCode" => Helper::IsCountryCode,
            "stringContains" | "StringContains" => Helper::StringContains,
            "isTimeOfDayBetween" | "IsTimeOfDayBetween" => Helper::IsTimeOfDayBetween,
            "isDayOfWeek" | "IsDayOfWeek" => Helper::IsDayOfWeek,
            "uuid" | "Uuid" => Helper::Uuid,
            _ => return None,
        })
    }

    pub fn call(self, arguments: &[Argument<'_>]) -> Result<Answer, FunctionError> {
        let text = |at: usize| arguments.get(at).and_then(|argument| argument.text.as_deref());
        let truth = match self {
            Helper::IsCountryCode => is_country_code(text(0), text(1)),
            Helper::StringContains => {
                string_contains(text(0), text(1), arguments.get(2).is_some_and(|argument| argument.truth))
            }
            Helper::IsTimeOfDayBetween => is_time_of_day_between(text(0), text(1), text(2), text(3))?,
            Helper::IsDayOfWeek => is_day_of_week(text(0), text(1))?,
            Helper::Uuid => return Ok(Answer::Text(uuid())),
        };
        Ok(Answer::Truth(truth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_helper_has_a_capitalised_alias() {
        for name in ["isCountryCode", "stringContains", "isTimeOfDayBetween", "isDayOfWeek", "uuid"] {
            let capital = name[..1].to_uppercase() + &name[1..];
            assert!(Helper::named(name).is_some());
            assert_eq!(Helper::named(name), Helper::named(&capital));
        }
    }

    #[test]
    fn c_220_uuids_are_random_and_of_version_4() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        let parsed = uuid::Uuid::parse_str(&one).unwrap();
        assert_eq!(parsed.get_version_num(), 4);
        assert_eq!(parsed.hyphenated().to_string(), one);
    }
}
