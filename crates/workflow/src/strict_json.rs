//! What clients send: JSON that means the same to everybody who reads it, and that can be stored. What else is
//! JSON by its grammar is refused, with its place: members that occur twice, of which readers take one or the
//! other; NUL characters, which PostgreSQL's text has not; halves of surrogate pairs, which are no characters;
//! nesting deeper than what reads a context back can follow.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Deserializer, Map, Value};

use crate::context::MAX_DEPTH;

/// The data of an instance has a body that is no object one level further down.
const LEVELS: usize = MAX_DEPTH - 1;

/// With such a member the parser's own values are told to be something else than they are written as.
const OF_THE_PARSER: &str = "$serde_json::private::";

/// The parser's words for half a pair of surrogates.
const HALVES: [&str; 2] = ["lone leading surrogate in hex escape", "unexpected end of hex escape"];

/// Why a body was refused. Its text is what the client reads (code 1000).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Without the place, as a part of a sentence.
    pub detail: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters: where reading ended.
    pub column: Option<usize>,
}

pub fn read(body: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Deserializer::from_slice(body);
    let value = Level(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| Malformed::at_place(body, &error))
}

pub fn read_object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match read(body)? {
        Value::Object(members) => Ok(members),
        _ => Err(Malformed::whole("it must be an object")),
    }
}

impl Malformed {
    /// What the parser found in this body.
    pub fn at_place(body: &[u8], error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let detail = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
        let detail = if HALVES.contains(&detail) { "half of a surrogate pair" } else { detail };
        Self {
            detail: detail.to_owned(),
            line: Some(error.line()).filter(|line| *line > 0),
            column: column(body, error),
        }
    }

    /// Of a body as a whole. The detail is a part of a sentence.
    pub fn whole(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), line: None, column: None }
    }

    pub fn too_deep() -> Self {
        Self::whole(too_deep())
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.detail.chars();
        let first = rest.next().map(|first| first.to_ascii_uppercase());
        write!(f, "Invalid request body. {}{}", first.unwrap_or_default(), rest.as_str())?;
        if let Some(line) = self.line {
            write!(f, " at line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, " column {column}")?;
        }
        f.write_str(".")
    }
}

impl std::error::Error for Malformed {}

/// The parser counts bytes, people count characters.
fn column(body: &[u8], error: &serde_json::Error) -> Option<usize> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let bytes = error.column().min(line.len());
    Some(String::from_utf8_lossy(&line[..bytes]).chars().count()).filter(|column| *column > 0)
}

fn too_deep() -> String {
    format!("nested deeper than {LEVELS} levels")
}

/// Reads a value that stands in so many arrays and objects.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.0 == LEVELS { Err(E::custom(too_deep())) } else { Ok(Self(self.0 + 1)) }
    }
}

fn without_nul<E: Error>(text: String) -> Result<String, E> {
    if text.contains('\0') { Err(E::custom("a NUL character")) } else { Ok(text) }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        without_nul(text).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let level = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(level)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let level = self.inner()?;
        let mut members = Map::new();
        while let Some(name) = access.next_key()? {
            let name = without_nul(name)?;
            if name.starts_with(OF_THE_PARSER) {
                return Err(A::Error::custom(format!("reserved member `{name}`")));
            }
            match members.entry(name) {
                Entry::Vacant(place) => drop(place.insert(access.next_value_seed(level)?)),
                Entry::Occupied(first) => {
                    return Err(A::Error::custom(format!("duplicate member `{}`", first.key())));
                }
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_refused_is_told_with_its_place() {
        for (body, message) in [
            ("", "EOF while parsing a value at line 1"),
            ("{\"a\": 1,}", "Trailing comma at line 1 column 9"),
            ("{\"a\": 1e999}", "Number out of range at line 1 column 11"),
            ("{} {}", "Trailing characters at line 1 column 4"),
            ("{\"ä\": 1,\n \"b\": [{}],\n \"ä\": 2}", "Duplicate member `ä` at line 3 column 4"),
            ("[{\"a\": {\"b\": 1, \"\\u0062\": 2}}]", "Duplicate member `b` at line 1 column 24"),
            (r#"{"a": "x\u0000"}"#, "A NUL character at line 1 column 15"),
            (r#"{"\u0000": 1}"#, "A NUL character at line 1 column 9"),
            (r#"["\ud83d"]"#, "Half of a surrogate pair at line 1 column 9"),
            (r#"["\ude00"]"#, "Half of a surrogate pair at line 1 column 8"),
            (r#"["\ud83d\u0041"]"#, "Half of a surrogate pair at line 1 column 14"),
            (
                r#"{"$serde_json::private::RawValue": "[1]"}"#,
                "Reserved member `$serde_json::private::RawValue` at line 1 column 33",
            ),
        ] {
            let flaw = read(body.as_bytes()).unwrap_err();
            assert_eq!(flaw.to_string(), format!("Invalid request body. {message}."), "{body}");
        }
        let flaw = read_object(b"[]").unwrap_err();
        assert_eq!(flaw.to_string(), "Invalid request body. It must be an object.");
    }

    #[test]
    fn nesting_ends_where_a_context_ends() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(crate::context::depth(&read(nested(99).as_bytes()).unwrap()), 99);
        for levels in [100, 128, 10_000] {
            let flaw = read(nested(levels).as_bytes()).unwrap_err();
            assert_eq!((flaw.detail.as_str(), flaw.line), ("nested deeper than 99 levels", Some(1)));
        }
        let flaw = read("{\"a\":".repeat(200).as_bytes()).unwrap_err();
        assert_eq!((flaw.detail.as_str(), flaw.column), ("nested deeper than 99 levels", Some(99 * 5 + 1)));
    }

    #[test]
    fn everything_else_is_read_as_the_parser_reads_it() {
        let body = r#" {"z": [18446744073709551615, -9223372036854775808, 0, -0.5, 1e300, 5e-324, 1.50],
            "a": {"A": "\ud83d\ude00\u0001", "a": [true, false, null, "", {}, []]}} "#;
        let expected: Value = serde_json::from_str(body).unwrap();
        let found = read(body.as_bytes()).unwrap();
        assert_eq!(found.to_string(), expected.to_string());
        assert_eq!(found["a"]["A"], json!("😀\u{1}"));
    }
}
