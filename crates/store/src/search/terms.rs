//! What instances are found by: the values in their contexts, the phone numbers among them, their definition's
//! version.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trunkline_workflow::{DefinitionId, Version};

use super::filter::{LONGEST_VALUE, Phone};

/// Values of one context that it is found by, the outer ones first.
const MOST_VALUES: usize = 64;

/// Bytes of a context of which reading takes tens of microseconds.
const LONG: usize = 16 << 10;

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
    /// Of one of many contexts. Others go first when it takes a while.
    pub(super) async fn of_next(data: &str) -> Self {
        if data.len() > LONG {
            tokio::task::yield_now().await;
        }
        Self::of(data)
    }

    /// Of the context as JSON text. Read as it comes, because as a tree it takes a hundred times as much memory.
    pub(super) fn of(data: &str) -> Self {
        let mut found = Found::default();
        let mut reader = serde_json::Deserializer::from_str(data);
        let read = Place { found: &mut found, path: "", depth: 0 }.deserialize(&mut reader);
        if read.and_then(|()| reader.end()).is_err() {
            return Self(vec![(String::new(), "null".to_owned())]);
        }
        Self(found.of_depth.into_iter().flatten().take(MOST_VALUES).collect())
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

/// What has been read, by depth: those of one depth as they come, and no more than can count.
#[derive(Default)]
struct Found {
    of_depth: Vec<Vec<(String, String)>>,
}

impl Found {
    fn has_enough(&self, depth: usize) -> bool {
        self.of_depth.iter().take(depth + 1).map(Vec::len).sum::<usize>() >= MOST_VALUES
    }

    fn add(&mut self, depth: usize, path: &str, text: &str) {
        if text.chars().count() > LONGEST_VALUE || self.has_enough(depth) {
            return;
        }
        self.of_depth.resize_with(self.of_depth.len().max(depth + 1), Vec::new);
        self.of_depth[depth].push((path.to_owned(), text.to_owned()));
    }
}

/// Where the next value stands.
struct Place<'a> {
    found: &'a mut Found,
    path: &'a str,
    depth: usize,
}

impl Place<'_> {
    fn add(self, value: &Value) {
        self.found.add(self.depth, self.path, &value.to_string());
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Nothing below counts: there is enough before it, or its name is too long.
    fn is_in_vain(&self, path: &str) -> bool {
        self.found.has_enough(self.depth + 1) || path.chars().count() > LONGEST_VALUE
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let path = self.below(&name);
            if self.is_in_vain(&path) {
                map.next_value::<IgnoredAny>()?;
            } else {
                let place = Place { found: &mut *self.found, path: &path, depth: self.depth + 1 };
                map.next_value_seed(place)?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        for at in 0..MOST_VALUES {
            let path = self.below(&at.to_string());
            if self.is_in_vain(&path) {
                break;
            }
            let place = Place { found: &mut *self.found, path: &path, depth: self.depth + 1 };
            if list.next_element_seed(place)?.is_none() {
                return Ok(());
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.add(self.depth, self.path, text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(&value.into());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.add(&value.into());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.add(&value.into());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.add(&value.into());
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(&Value::Null);
        Ok(())
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
    fn what_cannot_count_takes_no_memory_and_changes_nothing() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let long = "k".repeat(LONGEST_VALUE + 1);
        let below = format!(r#"{{"{long}": {{"a": 1, "b": [2]}}, "deep": {deep}, "c": 3}}"#);
        assert_eq!(Values::of(&below).0, [("c".to_owned(), "3".to_owned())]);
        let list = format!(r#"{{"list": [{}7], "after": {{"x": {{"y": 1}}}}, "last": 2}}"#, "7,".repeat(500));
        let values = Values::of(&list);
        assert_eq!((values.0.len(), &values.0[0]), (MOST_VALUES, &("last".to_owned(), "2".to_owned())));
        assert!(
            values.have("list.62", "7") && !values.have("list.63", "7") && !values.have("after.x.y", "1")
        );
        for broken in ["{\"a\": 1", "{\"a\": 1} 2", ""] {
            assert_eq!(Values::of(broken).0, [(String::new(), "null".to_owned())], "{broken}");
        }
        assert!(Values::of(r#"{"a": 1e2, "b": 18446744073709551616, "c": -1}"#).have("a", "100.0"));
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
