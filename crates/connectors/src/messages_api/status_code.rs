//! What an `error.code` of a message status means (spec 13).
//!
//! These are not the numbers in the error types of v1's HTTP answers: those are another namespace,
//! and `read_refusal.rs` leads from there to here.

use serde::Serialize;

pub const THROTTLED: i64 = 1000;
pub const INVALID_PARAMS: i64 = 1020;
pub const INTERNAL_ERROR: i64 = 1030;
pub const QUOTA_EXCEEDED: i64 = 1070;
pub const COMMUNICATION_FAILED: i64 = 1100;
pub const ILLEGAL_SENDER: i64 = 1120;
pub const NOT_ALLOWED: i64 = 1140;
pub const INVALID_RECIPIENT: i64 = 1170;
pub const UNKNOWN: i64 = 1330;
pub const PROVIDER_ERROR: i64 = 1331;

/// Every code that is documented, with its reason.
pub const REASONS: [(i64, &str); 45] = [
    (THROTTLED, "Throttled"),
    (1010, "Missing params"),
    (INVALID_PARAMS, "Invalid params"),
    (1021, "Invalid tag"),
    (1022, "Invalid template"),
    (INTERNAL_ERROR, "Internal error"),
    (1040, "Invalid message"),
    (1050, "Number barred"),
    (1060, "Partner account barred"),
    (QUOTA_EXCEEDED, "Partner quota exceeded"),
    (1080, "Account not enabled for REST"),
    (1090, "Message too long"),
    (COMMUNICATION_FAILED, "Communication Failed"),
    (1110, "Invalid Signature"),
    (ILLEGAL_SENDER, "Illegal Sender Address - rejected"),
    (1130, "Invalid TTL"),
    (NOT_ALLOWED, "Facility not allowed"),
    (1150, "Invalid Message class"),
    (1160, "Non White-listed Destination"),
    (INVALID_RECIPIENT, "Invalid or Missing Msisdn Param"),
    (1180, "Absent Subscriber Temporary"),
    (1190, "Absent Subscriber Permanent"),
    (1200, "Portability Error"),
    (1210, "Anti-Spam Rejection"),
    (1220, "Handset Busy"),
    (1230, "Network Error"),
    (1240, "Illegal Number"),
    (1241, "Too many send requests"),
    (1250, "Unroutable"),
    (1260, "Destination unreachable"),
    (1270, "Subscriber Age Restriction"),
    (1280, "Number Blocked by Carrier"),
    (1290, "Pre-Paid - Insufficient funds"),
    (1300, "Not part of the provider network"),
    (1310, "Not suitable device"),
    (1320, "Message already sent"),
    (UNKNOWN, "Unknown"),
    (PROVIDER_ERROR, "Provider error"),
    (1340, "Outside of the allowed window"),
    (1350, "Phone matching fee not paid"),
    (1360, "TTL was activated"),
    (1370, "Expired access Token"),
    (1380, "Invalid resource"),
    (1381, "Invalid resource: size too large"),
    (1382, "Invalid resource: type invalid"),
];

/// Why a message was rejected or could not be delivered; as JSON the `error` of a status webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusError {
    /// One of [`REASONS`], or one that the provider has invented since.
    pub code: i64,
    pub reason: String,
}

impl StatusError {
    /// With the reason that is documented for the code.
    pub fn of(code: i64) -> Self {
        Self { code, reason: reason_of(code).unwrap_or("Unknown").to_owned() }
    }
}

/// The documented reason.
pub fn reason_of(code: i64) -> Option<&'static str> {
    REASONS.iter().find(|(known, _)| *known == code).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{REASONS, StatusError, reason_of};

    #[test]
    fn every_code_stands_once_and_in_order() {
        assert!(REASONS.is_sorted_by(|(earlier, _), (later, _)| earlier < later));
    }

    #[test]
    fn a_code_has_its_reason_and_an_unknown_one_is_passed_on() {
        assert_eq!(reason_of(1300), Some("Not part of the provider network"));
        assert_eq!(reason_of(1), None);
        let error = serde_json::to_value(StatusError::of(1070)).unwrap();
        assert_eq!(error, json!({"code": 1070, "reason": "Partner quota exceeded"}));
        assert_eq!(StatusError::of(4711), StatusError { code: 4711, reason: "Unknown".to_owned() });
    }
}
