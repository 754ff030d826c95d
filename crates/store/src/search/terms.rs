//! What instances are found by: the values in their contexts, the phone numbers among them, their definition's
//! version.

use std::collections::VecDeque;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use trunkline_workflow::{DefinitionId, Version};

use super::filter::{LONGEST_VALUE, Phone};

/// Values of one context that it is found by, the outer ones first.
const MOST_VALUES: usize = 64;

/// A hash: other values may have the same.
pub(super) type Term = i64;

/// What is kept of a rare term: half of it.
pub(super) fn half(term: Term) -> u32 {
    short(term).cast_unsigned()
}

/// The same, as rows of `search_values` have it.
pub(super) fn short(term: Term) -> i32 {
    i32::try_from(term >> 32).expect("32 of 64 bits are left")
}

pub(super) fn of_version(account: &str, definition: DefinitionId, version: Version) -> Term {
    hash([account, "version", &definition.to_string(), &version.to_string()])
}

/// A value that may be the number of a phone is found as one, whatever its spelling: a term less for each.
pub(super) fn of_value(account: &str, path: &str, value: &str) -> Term {
    Phone::parse(value)
        .map_or_else(|| hash([account, "value", path, value]), |phone| of_phone(account, &phone))
}

pub(super) fn of_phone(account: &str, phone: &Phone) -> Term {
    hash([account, "phone", phone.digits()])
}

/// Of what is found, and of where and how.
pub(super) fn hash<const PARTS: usize>(parts: [&str; PARTS]) -> Term {
    let mut digest = Sha256::new();
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 {
            digest.update([0]);
        }
        digest.update(part);
    }
    i64::from_be_bytes(*digest.finalize().first_chunk().expect("a SHA-256 has 32 bytes"))
}

/// The values of a context by their dotted paths.
pub(super) struct Values(Vec<(String, String)>);

impl Values {
    /// Of the context as JSON text; what cannot be read has none. Lists and objects are read one by one when it is their
    /// turn, because a whole context takes a hundred times as much memory as its text.
    pub(super) fn of(data: &str) -> Self {
        let mut open =
            VecDeque::from([(String::new(), serde_json::from_str(data).unwrap_or(RawValue::NULL))]);
        let mut values = Vec::new();
        while let Some((path, value)) = open.pop_front() {
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let text = match read(value) {
                Level::Object(members) => {
                    open.extend(members.into_iter().map(|(name, value)| (below(&name), value)));
                    continue;
                }
                Level::Array(items) => {
                    let items = items.into_iter().enumerate();
                    open.extend(items.map(|(at, value)| (below(&at.to_string()), value)));
                    continue;
                }
                Level::Value(Value::String(text)) => text,
                Level::Value(other) => other.to_string(),
            };
            if text.chars().count() > LONGEST_VALUE || path.chars().count() > LONGEST_VALUE {
                continue;
            }
            values.push((path, text));
            if values.len() == MOST_VALUES {
                break;
            }
        }
        Self(values)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }

    pub(super) fn terms(&self, account: &str) -> Vec<Term> {
        let mut terms: Vec<Term> = self.iter().map(|(path, value)| of_value(account, path, value)).collect();
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    pub(super) fn have(&self, path: &str, value: &str) -> bool {
        self.0.iter().any(|(at, text)| at == path && text == value)
    }

    pub(super) fn have_phone(&self, phone: &Phone) -> bool {
        self.0.iter().any(|(_, text)| Phone::parse(text).as_ref() == Some(phone))
    }
}

/// A value, and what is in it as it is written.
enum Level<'a> {
    Object(Vec<(String, &'a RawValue)>),
    /// The first ones.
    Array(Vec<&'a RawValue>),
    Value(Value),
}

fn read(value: &RawValue) -> Level<'_> {
    let mut reader = serde_json::Deserializer::from_str(value.get());
    let read = match value.get().as_bytes().first() {
        Some(b'{') => reader.deserialize_map(OneLevel),
        Some(b'[') => reader.deserialize_seq(OneLevel),
        _ => serde_json::from_str(value.get()).map(Level::Value),
    };
    read.unwrap_or(Level::Value(Value::Null))
}

struct OneLevel;

impl<'de> Visitor<'de> for OneLevel {
    type Value = Level<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Level::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while items.len() < MOST_VALUES
            && let Some(item) = seq.next_element()?
        {
            items.push(item);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Level::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_dotted_paths_and_the_outer_ones_come_first() {
        let values = Values::of(
            r#"{"order": {"id": 7, "lines": [{"sku": "a.b"}]}, "vip": true, "none": null, "a.b": "dot", "half": 0.5}"#,
        );
        for (path, value) in [
            ("order.id", "7"),
            ("order.lines.0.sku", "a.b"),
            ("vip", "true"),
            ("none", "null"),
            ("a.b", "dot"),
            ("half", "0.5"),
        ] {
            assert!(values.have(path, value), "{path}");
        }
        assert!(!values.have("order", "7") && !values.have("order.id", "8"));
        assert_eq!(values.0[0].0, "vip");
        assert_eq!(Values::of("nonsense").0, [(String::new(), "null".to_owned())]);
    }

    #[test]
    fn a_context_of_any_size_has_a_limited_number_of_terms() {
        let wide: serde_json::Map<String, Value> =
            (0..1_000).map(|n| (format!("m{n}"), Value::from(6_590_000_000_i64 + n))).collect();
        assert_eq!(Values::of(&Value::Object(wide).to_string()).terms("acme").len(), MOST_VALUES);
        let long = "x".repeat(LONGEST_VALUE + 1);
        assert!(Values::of(&format!(r#"{{"a": "{long}"}}"#)).terms("acme").is_empty());
    }

    #[test]
    fn the_half_of_a_term_is_its_upper_one() {
        for (term, half) in [(0, 0), (-1, -1), (i64::MAX, i32::MAX), (i64::MIN, i32::MIN), (0x1_2345_6789, 1)]
        {
            assert_eq!((short(term), super::half(term).cast_signed()), (half, half), "{term}");
        }
    }

    #[test]
    fn phones_are_found_in_any_spelling_wherever_they_are() {
        let phone = Phone::parse("00 65 9000 1111").unwrap();
        assert_eq!(phone.digits(), "6590001111");
        for data in [r#"{"payload": {"source": "+65 (9000) 1111"}}"#, r#"{"to": [6590001111]}"#] {
            let values = Values::of(data);
            assert!(values.have_phone(&phone), "{data}");
            let terms = values.terms("acme");
            assert_eq!(terms, [of_phone("acme", &phone)], "{data}");
            assert_eq!(terms, [of_value("acme", "any", "+65-9000-1111")], "as a value, too");
            assert_ne!(terms, [of_phone("other", &phone)], "each account has its own");
        }
        for no_phone in ["Mei", "1234", "", "+"] {
            assert_eq!(Phone::parse(no_phone), None, "{no_phone}");
        }
    }
}
