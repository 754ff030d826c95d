//! What becomes of a message, and what that means for the step that sent it (Dispatch 8.1, 8.2).

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Submitted,
    Delivered,
    Read,
    /// Refused by us or by the provider.
    Rejected,
    /// Accepted, and then not delivered.
    Undeliverable,
}

/// What a message has to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    Delivered,
    Read,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Submitted, Self::Delivered, Self::Read, Self::Rejected, Self::Undeliverable];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Rejected => "rejected",
            Self::Undeliverable => "undeliverable",
        }
    }

    /// Providers spell them as we do.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// How far the message has come; failures are not on that scale. What was only started would have 0.
    pub fn rank(self) -> Option<u8> {
        match self {
            Self::Submitted => Some(1),
            Self::Delivered => Some(2),
            Self::Read => Some(3),
            Self::Rejected | Self::Undeliverable => None,
        }
    }

    pub fn is_failure(self) -> bool {
        self.rank().is_none()
    }

    /// What was read was delivered, whether or not anybody said so.
    pub fn meets(self, condition: Condition) -> bool {
        self.rank() >= condition.status().rank()
    }
}

impl Condition {
    pub const ALL: [Self; 2] = [Self::Delivered, Self::Read];

    pub fn as_str(self) -> &'static str {
        self.status().as_str()
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.as_str() == text)
    }

    fn status(self) -> Status {
        match self {
            Self::Delivered => Status::Delivered,
            Self::Read => Status::Read,
        }
    }
}

/// The statuses that end the wait for a message. The last one has no condition and waits for `delivered` (U10).
pub fn deciding_statuses(condition: Option<Condition>) -> Vec<Status> {
    let condition = condition.unwrap_or(Condition::Delivered);
    Status::ALL.into_iter().filter(|status| status.is_failure() || status.meets(condition)).collect()
}

#[cfg(test)]
mod tests {
    use Status::{Delivered, Read, Rejected, Submitted, Undeliverable};

    use super::*;

    #[test]
    fn read_implies_delivered_and_not_the_other_way_round() {
        for (status, delivered, read) in [
            (Submitted, false, false),
            (Delivered, true, false),
            (Read, true, true),
            (Rejected, false, false),
            (Undeliverable, false, false),
        ] {
            assert_eq!(status.meets(Condition::Delivered), delivered, "{status:?}");
            assert_eq!(status.meets(Condition::Read), read, "{status:?}");
            assert_eq!(status.is_failure(), matches!(status, Rejected | Undeliverable));
        }
    }

    #[test]
    fn failures_end_every_wait_and_progress_only_what_waits_for_less() {
        for (condition, deciding) in [
            (None, vec![Delivered, Read, Rejected, Undeliverable]),
            (Some(Condition::Delivered), vec![Delivered, Read, Rejected, Undeliverable]),
            (Some(Condition::Read), vec![Read, Rejected, Undeliverable]),
        ] {
            assert_eq!(deciding_statuses(condition), deciding, "{condition:?}");
        }
    }

    #[test]
    fn words_are_spelled_the_same_everywhere() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        for condition in Condition::ALL {
            assert_eq!(serde_json::to_value(condition).unwrap(), condition.as_str());
            assert_eq!(Condition::parse(condition.as_str()), Some(condition));
        }
        for other in ["accepted", "seen", "Delivered", ""] {
            assert_eq!((Status::parse(other), Condition::parse(other)), (None, None), "{other}");
        }
        assert_eq!(Condition::parse("submitted"), None);
    }
}
