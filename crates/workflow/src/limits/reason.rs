//! Why a step has no leave yet.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::settings::Rate;

/// As it is kept with the step that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum Reason {
    RateLimited {
        /// `account`, `sender` or `recipient`.
        limit: String,
        /// Of `sender` which one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<String>,
        rate: Rate,
        until: DateTime<Utc>,
    },
    QuietHours {
        until: DateTime<Utc>,
        /// `21:00-08:00`
        window: String,
        zone: String,
    },
    Concurrency {
        /// `account` or `definition`.
        limit: String,
        /// At once.
        most: u32,
    },
    DefinitionPaused,
}
