//! JSON, read and written again without what must not be kept. Reading ends where enough is written, so that a large
//! body costs no more than a small one.

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use super::redaction::Redaction;
use super::secrets::{REDACTED, Secrets};

/// Nothing that means something is deeper.
const DEEPEST: usize = 130;

/// What was written, and whether all of it was.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) cut: bool,
}

pub(super) struct JsonRedactor<'a> {
    pub(super) redaction: &'a Redaction,
    pub(super) secrets: &'a Secrets,
    pub(super) limit: usize,
}

impl JsonRedactor<'_> {
    /// `None`: it is no JSON, as far as it was read.
    pub(super) fn bytes(&self, json: &[u8]) -> Option<Written> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let mut output = Output::new(self);
        let read = Part { output: &mut output, name: "", depth: 0 }.deserialize(&mut deserializer);
        let is_whole = read.is_ok() && deserializer.end().is_ok();
        (is_whole || output.cut).then_some(Written { text: output.text, cut: output.cut })
    }

    pub(super) fn value(&self, value: &Value) -> Written {
        let mut output = Output::new(self);
        // The error is that enough is written.
        let _enough = Part { output: &mut output, name: "", depth: 0 }.deserialize(value);
        Written { text: output.text, cut: output.cut }
    }
}

struct Output<'a> {
    text: String,
    cut: bool,
    by: &'a JsonRedactor<'a>,
}

impl<'a> Output<'a> {
    fn new(by: &'a JsonRedactor<'a>) -> Self {
        Self { text: String::new(), cut: false, by }
    }

    /// As much of it as there is room for.
    fn push<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        let room = self.by.limit - self.text.len();
        if text.len() <= room {
            self.text.push_str(text);
            return Ok(());
        }
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
        self.cut = true;
        Err(E::custom("enough"))
    }

    fn push_text<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        let quoted = Value::from(text).to_string();
        self.push(&quoted)
    }
}

/// One value, which stands under `name`.
struct Part<'o, 'a, 'n> {
    output: &'o mut Output<'a>,
    name: &'n str,
    depth: usize,
}

impl Part<'_, '_, '_> {
    fn number<E: de::Error>(self, number: &str) -> Result<(), E> {
        let number = self.output.by.redaction.number(self.name, number);
        self.output.push(&number)
    }

    fn deeper<E: de::Error>(&mut self) -> Result<usize, E> {
        if self.depth < DEEPEST {
            return Ok(self.depth + 1);
        }
        self.output.cut = true;
        Err(E::custom("deep enough"))
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.output.push("null")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.output.push(if value { "true" } else { "false" })
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.number(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.number(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.number(&Value::from(value).to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        let by = self.output.by;
        let text = by.redaction.text(self.name, text, by.secrets);
        self.output.push_text(&text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        self.output.push("[")?;
        let mut separator = "";
        loop {
            // Whether there is one more is known when it has been read.
            let next =
                Element { separator, part: Part { output: &mut *self.output, name: self.name, depth } };
            if values.next_element_seed(next)?.is_none() {
                return self.output.push("]");
            }
            separator = ",";
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let depth = self.deeper()?;
        self.output.push("{")?;
        let mut separator = "";
        while let Some(name) = members.next_key::<String>()? {
            self.output.push(separator)?;
            separator = ",";
            let by = self.output.by;
            self.output.push_text(&by.secrets.scrub(&name))?;
            self.output.push(":")?;
            if by.redaction.is_secret(&name) {
                let value = members.next_value::<Presence>()?;
                self.output.push(&if value.0 { format!("\"{REDACTED}\"") } else { "null".to_owned() })?;
            } else {
                members.next_value_seed(Part { output: &mut *self.output, name: &name, depth })?;
            }
        }
        self.output.push("}")
    }
}

struct Element<'o, 'a, 'n> {
    separator: &'static str,
    part: Part<'o, 'a, 'n>,
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.part.output.push(self.separator)?;
        self.part.deserialize(deserializer)
    }
}

/// Whether there is anything but null.
struct Presence(bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<IgnoredAny>::deserialize(deserializer)?.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trunkline_workflow::history_policy::{Bodies, HistoryPolicy};

    use super::*;

    fn redact(bodies: Bodies, limit: usize, value: &Value) -> Written {
        let policy = HistoryPolicy { bodies, members: vec!["iban".to_owned()], ..HistoryPolicy::default() };
        let redaction = Redaction::new(&policy, None, limit);
        let by = JsonRedactor { redaction: &redaction, secrets: &Secrets::default(), limit };
        let read = by.value(value);
        let parsed = by.bytes(value.to_string().as_bytes()).expect("it is JSON");
        assert_eq!((&parsed.text, parsed.cut), (&read.text, read.cut), "both ways are the same");
        read
    }

    #[test]
    fn the_form_stays_and_the_content_goes() {
        let message = json!({"to": "+6590001111", "text": "Hi \"Ann\"", "status": "queued", "n": 3, "ok": true,
            "none": null, "msisdn": 6_590_001_111_u64, "list": ["a", {"type": "x"}], "password": {"a": 1},
            "token": null, "empty": "", "iban": "DE00"});
        let kept = redact(Bodies::Redact, 4096, &message);
        assert!(!kept.cut);
        assert_eq!(
            serde_json::from_str::<Value>(&kept.text).unwrap(),
            json!({"to": "[redacted: 11 characters]", "text": "[redacted: 8 characters]", "status": "queued",
                "n": 3, "ok": true, "none": null, "msisdn": "[redacted: number]",
                "list": ["[redacted: 1 characters]", {"type": "x"}], "password": "[redacted]", "token": null,
                "empty": "", "iban": "[redacted]"})
        );
        let mut whole = message.clone();
        whole["password"] = "[redacted]".into();
        whole["iban"] = "[redacted]".into();
        let kept = redact(Bodies::Keep, 4096, &message);
        assert_eq!(serde_json::from_str::<Value>(&kept.text).unwrap(), whole);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let kept = redact(Bodies::Keep, 20, &json!({"a": "ääääääääääääääääääää"}));
        assert!(kept.cut && kept.text.len() <= 20 && kept.text.starts_with("{\"a\":\"ää"), "{}", kept.text);
        assert!(redact(Bodies::Keep, 0, &json!(1)).cut);
    }

    #[test]
    fn what_is_no_json_is_told_apart() {
        let redaction = Redaction::new(&HistoryPolicy::default(), None, 100);
        let by = JsonRedactor { redaction: &redaction, secrets: &Secrets::default(), limit: 100 };
        for text in ["", "<html>", "{\"a\": 1", "{} {}"] {
            assert!(by.bytes(text.as_bytes()).is_none(), "{text}");
        }
    }
}
