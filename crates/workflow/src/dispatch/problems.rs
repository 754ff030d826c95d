//! The list that problems of a request are gathered in, and the questions that many checks ask of a value.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::place::{Place, Token};
use super::request_error::{InvalidParameter, RequestError};

/// Beyond this a list helps nobody.
const MOST: usize = 200;

#[derive(Default)]
pub(super) struct Problems {
    found: Vec<(Vec<Token>, InvalidParameter)>,
}

/// The member, if it is there; null is as good as nothing.
pub(super) fn given<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    members.get(name).filter(|value| !value.is_null())
}

impl Problems {
    pub(super) fn add(&mut self, place: &Place, reason: impl Into<String>) {
        if self.found.len() < MOST {
            let problem = InvalidParameter { name: place.to_string(), reason: reason.into() };
            self.found.push((place.tokens(), problem));
        }
    }

    /// A value that has to be there.
    pub(super) fn required<'v>(&mut self, value: Option<&'v Value>, place: &Place) -> Option<&'v Value> {
        if value.is_none() {
            self.add(place, "is required");
        }
        value
    }

    pub(super) fn object<'v>(&mut self, value: &'v Value, place: &Place) -> Option<&'v Map<String, Value>> {
        let members = value.as_object();
        if members.is_none() {
            self.add(place, "must be an object");
        }
        members
    }

    pub(super) fn required_object<'v>(
        &mut self,
        value: Option<&'v Value>,
        place: &Place,
    ) -> Option<&'v Map<String, Value>> {
        let value = self.required(value, place)?;
        self.object(value, place)
    }

    /// A text of so many characters.
    pub(super) fn text<'v>(
        &mut self,
        value: &'v Value,
        place: &Place,
        length: RangeInclusive<usize>,
    ) -> Option<&'v str> {
        let Some(text) = value.as_str() else {
            self.add(place, "must be a string");
            return None;
        };
        if length.contains(&text.chars().count()) {
            return Some(text);
        }
        self.add(
            place,
            match (*length.start(), *length.end()) {
                (_, usize::MAX) => "must not be empty".to_owned(),
                (0, most) => format!("must have at most {most} characters"),
                (least, most) => format!("must have {least} to {most} characters"),
            },
        );
        None
    }

    pub(super) fn required_text<'v>(
        &mut self,
        value: Option<&'v Value>,
        place: &Place,
        length: RangeInclusive<usize>,
    ) -> Option<&'v str> {
        let value = self.required(value, place)?;
        self.text(value, place, length)
    }

    /// One of these texts.
    pub(super) fn word<'v>(&mut self, value: &'v Value, place: &Place, words: &[&str]) -> Option<&'v str> {
        let word = value.as_str().filter(|text| words.contains(text));
        if word.is_none() {
            self.add(place, format!("must be {}", any_of(words)));
        }
        word
    }

    /// Why the request is refused, if it is.
    pub(super) fn finish(mut self, body: &Map<String, Value>) -> Result<(), RequestError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_cached_key(|(tokens, _)| position(tokens, body));
        Err(RequestError::InvalidParameters(self.found.into_iter().map(|(_, problem)| problem).collect()))
    }
}

/// The texts in a sentence: `a`, `b` or `c`.
pub(super) fn any_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Of every member and item on the way there, which one of its siblings it is. What is missing is the last.
fn position(tokens: &[Token], body: &Map<String, Value>) -> Vec<usize> {
    let (mut members, mut items) = (Some(body), None);
    let mut position = Vec::with_capacity(tokens.len());
    for token in tokens {
        let found = match *token {
            Token::Member(name) => members.and_then(|members| {
                members.iter().enumerate().find_map(|(at, (key, value))| (key == name).then_some((at, value)))
            }),
            Token::Item(at) => items.and_then(|items: &Vec<Value>| items.get(at)).map(|item| (at, item)),
        };
        position.push(found.map_or(usize::MAX, |(at, _)| at));
        members = found.and_then(|(_, value)| value.as_object());
        items = found.and_then(|(_, value)| value.as_array());
    }
    position
}
