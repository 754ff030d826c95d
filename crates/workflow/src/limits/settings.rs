//! The limits of an account, as they are set and shown.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::quiet_hours::QuietHours;
use crate::DefinitionId;

/// All limits of an account; what is left out is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Of quiet hours that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Of all messages together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<SenderLimit>,
    /// Of the messages to one recipient.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<Rate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet_hours: Vec<QuietHours>,
    /// Steps that act outside, at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<DefinitionLimit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderLimit {
    /// A subaccount, or a number or name that messages are sent from.
    pub sender: String,
    pub rates: Vec<Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionLimit {
    pub definition_id: DefinitionId,
    /// Steps of it that act outside, at once.
    pub concurrency: u32,
}

/// So many in any stretch of time of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    pub messages: u32,
    pub per: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Second,
    Minute,
    Hour,
    Day,
}

impl Settings {
    pub fn is_empty(&self) -> bool {
        *self == Self { time_zone: self.time_zone.clone(), ..Self::default() }
    }

    /// Whether anything of it is about messages.
    pub fn limits_messages(&self) -> bool {
        let rates = [self.rates.is_empty(), self.senders.is_empty(), self.recipients.is_empty()];
        rates.contains(&false) || !self.quiet_hours.is_empty()
    }

    pub fn limits_concurrency_of(&self, definition: DefinitionId) -> bool {
        self.concurrency.is_some() || self.concurrency_of(definition).is_some()
    }

    pub fn concurrency_of(&self, definition: DefinitionId) -> Option<u32> {
        let mut limits = self.definitions.iter();
        limits.find(|limit| limit.definition_id == definition).map(|limit| limit.concurrency)
    }
}

impl Rate {
    pub fn period(self) -> TimeDelta {
        match self.per {
            Period::Second => TimeDelta::seconds(1),
            Period::Minute => TimeDelta::minutes(1),
            Period::Hour => TimeDelta::hours(1),
            Period::Day => TimeDelta::days(1),
        }
    }
}

impl Period {
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == text)
    }
}
