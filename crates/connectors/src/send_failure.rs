//! What became of something that was to be sent and was not accepted.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::outbound::{OutboundError, OutboundResponse, call_failed};

/// Something that was not accepted. The message is the text of the fault (spec 2.17.6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// The provider certainly does not have it. `after` is what its `Retry-After` says.
    #[error("{message}")]
    Retry { after: Option<Duration>, message: String },
    /// Refused, or possibly accepted: not to be sent again.
    #[error("{message}")]
    Failed { message: String },
}

impl SendFailure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into() }
    }

    /// There is no answer, or none that can be read. `target` is the URL, or a word for it where
    /// not everybody who sees faults may see the URL.
    pub(crate) fn unanswered(error: &OutboundError, target: &str) -> Self {
        let message = call_failed(error, "POST", target);
        match error {
            OutboundError::NotSent(_) => Self::Retry { after: None, message },
            OutboundError::Refused(_) | OutboundError::Unknown(_) | OutboundError::TooLarge => {
                Self::Failed { message }
            }
        }
    }

    /// The answer is a refusal, which only "too many requests" takes back by itself.
    pub(crate) fn refused(response: &OutboundResponse, message: String, now: DateTime<Utc>) -> Self {
        match response.status {
            429 => Self::Retry { after: response.retry_after(now), message },
            _ => Self::Failed { message },
        }
    }
}

/// `Failed to send {noun} because {reason}. Error id: {error_id}`, or without the id. Without a
/// reason the status line is it.
pub(crate) fn because(
    noun: &str,
    reason: Option<&str>,
    error_id: Option<&str>,
    response: &OutboundResponse,
) -> String {
    let reason = match reason {
        // The sentence brings its own full stop.
        Some(reason) => reason.strip_suffix('.').unwrap_or(reason).to_owned(),
        None => format!("HTTP {} {}", response.status, response.reason).trim_end().to_owned(),
    };
    let mut message = format!("Failed to send {noun} because {reason}.");
    if let Some(error_id) = error_id {
        message.push_str(" Error id: ");
        message.push_str(error_id);
    }
    message
}
