//! What is asked for, and what is answered.

use chrono::{DateTime, Utc};
use trunkline_workflow::identity::phone_digits;
use trunkline_workflow::{DefinitionId, InstanceId, InstanceStatus, Version};

use super::fingerprint::Fingerprint;

/// Characters of a value or path that can be searched for.
pub const LONGEST_VALUE: usize = 200;

/// Conditions that all must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceSearch {
    pub id: Option<InstanceId>,
    pub status: Option<InstanceStatus>,
    pub definition: Option<DefinitionId>,
    pub version: Option<Version>,
    /// Of the definition.
    pub subaccount: Option<String>,
    /// Where it failed, or where it is.
    pub step: Option<String>,
    /// Part of the error's message, in any letter case.
    pub error: Option<String>,
    pub fingerprint: Option<Fingerprint>,
    /// Inclusive.
    pub started_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub started_before: Option<DateTime<Utc>>,
    /// Somewhere in the context.
    pub phone: Option<Phone>,
    /// Dotted paths and values of the context.
    pub context: Vec<(String, String)>,
}

/// A number whatever its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone(String);

/// Digits; shorter ones are rather counts than numbers of phones.
const LENGTH: std::ops::RangeInclusive<usize> = 5..=20;

impl Phone {
    /// `None` for what is no number of a phone.
    pub fn parse(text: &str) -> Option<Self> {
        phone_digits(text).filter(|digits| LENGTH.contains(&digits.len())).map(Self)
    }

    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

impl InstanceSearch {
    pub(super) fn looks_inside(&self) -> bool {
        self.phone.is_some() || !self.context.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInstance {
    pub id: InstanceId,
    pub definition: DefinitionId,
    /// Of the definition.
    pub name: String,
    pub version: Version,
    pub status: InstanceStatus,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub failure: Option<Failure>,
}

/// Why an instance ended by itself before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub step: String,
    pub message: String,
    pub fingerprint: Fingerprint,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// Newest first. They may be few or none although more are to come.
    pub items: Vec<FoundInstance>,
    /// The next page holds what is below; `None`: there is nothing more.
    pub next: Option<InstanceId>,
}
