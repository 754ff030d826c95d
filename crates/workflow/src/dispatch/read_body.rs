//! The body of a request as JSON. What `strict_json` refuses is refused here too, but for one thing: of members
//! that occur twice, the last one counts (U17).

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

use crate::context::MAX_DEPTH;
use crate::strict_json::Malformed;

/// In the data of an instance a message stands a few levels further down than in a request.
const LEVELS: usize = MAX_DEPTH - 8;

/// With such a member the parser's own values are told to be something else than they are written as.
const OF_THE_PARSER: &str = "$serde_json::private::";

pub(super) fn read_body(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let mut reader = Deserializer::from_slice(body);
    let value = Level(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match value.map_err(|error| Malformed::at_place(body, &error))? {
        Value::Object(members) => Ok(members),
        _ => Err(Malformed::whole("it must be an object")),
    }
}

/// Reads a value that stands in so many arrays and objects.
#[derive(Clone, Copy)]
struct Level(usize);

impl Level {
    fn inner<E: Error>(self) -> Result<Self, E> {
        if self.0 == LEVELS {
            Err(E::custom(format!("nested deeper than {LEVELS} levels")))
        } else {
            Ok(Self(self.0 + 1))
        }
    }
}

fn storable<E: Error>(text: String) -> Result<String, E> {
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
        storable(text).map(Value::String)
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
            let name = storable::<A::Error>(name)?;
            if name.starts_with(OF_THE_PARSER) {
                return Err(A::Error::custom(format!("reserved member `{name}`")));
            }
            members.insert(name, access.next_value_seed(level)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_012_what_is_no_json_is_told_with_its_place() {
        for (body, message) in [
            ("", "EOF while parsing a value at line 1"),
            (r#"{"template": "failover", "workflow": [{"#, "EOF while parsing an object at line 1 column 39"),
            ("{\"a\": 1,\n \"ä\":: 2}", "Expected value at line 2 column 6"),
            ("[]", "It must be an object"),
            ("null", "It must be an object"),
            ("{} {}", "Trailing characters at line 1 column 4"),
            (r#"{"a": "x\u0000"}"#, "A NUL character at line 1 column 15"),
            (r#"{"x\u0000": 1}"#, "A NUL character at line 1 column 10"),
            (r#"{"a": "\ud83d"}"#, "Half of a surrogate pair at line 1 column 14"),
            (
                r#"{"$serde_json::private::RawValue": "[1]"}"#,
                "Reserved member `$serde_json::private::RawValue` at line 1 column 33",
            ),
        ] {
            let flaw = read_body(body.as_bytes()).unwrap_err();
            assert_eq!(flaw.to_string(), format!("Invalid request body. {message}."), "{body}");
        }
    }

    #[test]
    fn of_members_that_occur_twice_the_last_one_counts() {
        let body =
            read_body(br#"{"a": {"x": 1, "x": {"y": 2}}, "b": 3, "a": {"x": 4, "\u0078": 5}}"#).unwrap();
        assert_eq!(Value::Object(body).to_string(), r#"{"a":{"x":5},"b":3}"#);
    }

    #[test]
    fn nesting_has_an_end_long_before_the_stack_has() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(read_body(nested(LEVELS - 1).as_bytes()).is_ok());
        for levels in [LEVELS, 128, 100_000] {
            let flaw = read_body(nested(levels).as_bytes()).unwrap_err();
            assert_eq!((flaw.detail.as_str(), flaw.line), ("nested deeper than 92 levels", Some(1)));
        }
    }

    #[test]
    fn everything_else_is_read_as_the_parser_reads_it() {
        let body = r#" {"z": [18446744073709551615, -9223372036854775808, 0, -0.5, 1e300, 1.50],
            "a": {"A": "\ud83d\ude00\u0001", "a": [true, false, null, "", {}, []]}} "#;
        let expected: Value = serde_json::from_str(body).unwrap();
        assert_eq!(Value::Object(read_body(body.as_bytes()).unwrap()).to_string(), expected.to_string());
    }
}
