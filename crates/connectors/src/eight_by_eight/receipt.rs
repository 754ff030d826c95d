//! What became of a message that we sent (spec 7.5).
//!
//! Receipts overtake each other and come twice; a status must never go back. So every state has a
//! rank, and a receipt replaces what is stored only if its rank is higher, or is equal and its
//! time is later:
//!
//! ```text
//! 0  unknown, and states that are not documented: they say nothing
//! 1  queued, accepted, ok: the platform has the message
//! 2  sent: the channel's network has it
//! 3  delivered, undelivered, failed, rejected, error: it is decided. Equal among themselves,
//!    because a network may give up and deliver after all; the later word counts
//! 4  read: the user saw it, which no other word can undo
//! ```

use chrono::{DateTime, Utc};

/// A delivery receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The id that the platform gave our message.
    pub umid: String,
    pub sub_account_id: Option<String>,
    pub client_message_id: Option<String>,
    /// In lower case.
    pub channel: String,
    /// In lower case: `queued`, `sent`, `delivered`, `undelivered`, `read`, …
    pub state: String,
    /// Never goes back; see the head of this file.
    pub rank: i16,
    pub detail: Option<String>,
    /// When the state was reached.
    pub timestamp: Option<DateTime<Utc>>,
    pub error_code: Option<i64>,
    pub error_message: Option<String>,
    /// Equal for every delivery of the same receipt (spec 7.8).
    pub dedupe_key: String,
}

impl Receipt {
    /// The rank of the states in which a send ends, whatever is read later.
    pub const FINAL: i16 = 3;

    /// The rank of a state in lower case.
    pub fn rank_of(state: &str) -> i16 {
        match state {
            "queued" | "accepted" | "ok" => 1,
            "sent" => 2,
            "delivered" | "undelivered" | "failed" | "rejected" | "error" => 3,
            "read" => 4,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Receipt;

    #[test]
    fn a_state_that_comes_later_in_a_message_s_life_ranks_higher() {
        for [earlier, later] in [
            ["unknown", "queued"],
            ["something-new", "accepted"],
            ["queued", "sent"],
            ["sent", "delivered"],
            ["sent", "undelivered"],
            ["sent", "failed"],
            ["sent", "rejected"],
            ["delivered", "read"],
            ["undelivered", "read"],
        ] {
            assert!(Receipt::rank_of(earlier) < Receipt::rank_of(later), "{earlier} {later}");
        }
        assert_eq!(Receipt::rank_of("delivered"), Receipt::rank_of("undelivered"));
    }
}
