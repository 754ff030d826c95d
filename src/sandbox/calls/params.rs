//! Reads the members of a callflow's entries, with the voice API's codes for what is wrong.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::sandbox::refusal::Invalid;

/// "Bad entry", for everything without a code of its own.
pub(super) const BAD_ENTRY: i64 = -1009;

/// Characters of a text that is spoken.
const MAX_TEXT: usize = 3000;

/// Something at a place of the request is not as it has to be.
pub(super) fn bad_entry(path: &str, problem: &str) -> Invalid {
    Invalid::new(BAD_ENTRY, format!("Invalid call flow entry provided. {path}: {problem}"))
}

/// The `params` of an entry. Members that are null count as absent.
pub(super) struct Params<'a> {
    members: Option<&'a Map<String, Value>>,
    path: String,
}

impl<'a> Params<'a> {
    /// `path` is that of the entry: `$.callflow[0]`.
    pub(super) fn of(entry: &'a Value, path: &str) -> Result<Self, Invalid> {
        let path = format!("{path}.params");
        let members = match entry.get("params") {
            None | Some(Value::Null) => None,
            Some(Value::Object(members)) => Some(members),
            Some(_) => return Err(bad_entry(&path, "is not an object")),
        };
        Ok(Self { members, path })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members?.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn bad(&self, name: &str, problem: &str) -> Invalid {
        bad_entry(&format!("{}.{name}", self.path), problem)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Invalid> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| self.bad(name, "is not a string")))
            .transpose()
    }

    pub(super) fn required_text(&self, name: &str) -> Result<&'a str, Invalid> {
        self.text(name)?
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| self.bad(name, "is missing but it is required"))
    }

    /// A text that is spoken.
    pub(super) fn spoken(&self, name: &str) -> Result<Option<&'a str>, Invalid> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if text.chars().count() > MAX_TEXT {
            return Err(self.bad(name, "may only be 3000 characters long"));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(Invalid::new(-1016, "Request contains unaccepted special characters"));
        }
        Ok(Some(text))
    }

    pub(super) fn required_spoken(&self, name: &str) -> Result<&'a str, Invalid> {
        self.required_text(name)?;
        Ok(self.spoken(name)?.unwrap_or_default())
    }

    pub(super) fn whole(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Invalid> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().ok_or_else(|| self.bad(name, "is not a whole number"))?;
        if !range.contains(&number) {
            return Err(self.out_of_range(name, range.start(), range.end()));
        }
        Ok(Some(number))
    }

    pub(super) fn check_number(&self, name: &str, range: &RangeInclusive<f64>) -> Result<(), Invalid> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let number = value.as_f64().ok_or_else(|| self.bad(name, "is not a number"))?;
        if !range.contains(&number) {
            return Err(self.out_of_range(name, range.start(), range.end()));
        }
        Ok(())
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Invalid> {
        self.get(name)
            .map(|value| value.as_bool().ok_or_else(|| self.bad(name, "is not a boolean")))
            .transpose()
    }

    fn out_of_range<T: std::fmt::Display>(&self, name: &str, least: T, most: T) -> Invalid {
        self.bad(name, &format!("must be between {least} and {most}"))
    }
}
