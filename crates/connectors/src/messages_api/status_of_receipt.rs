//! What a receipt of the other provider means for a message of a workflow that was sent there.
//!
//! Its error codes are another namespace than the ones of a status (spec 13): those that mean the same are
//! translated, the others become the general code of their status.

use super::status::MessageStatus;
use super::status_code::{
    ILLEGAL_SENDER, INTERNAL_ERROR, INVALID_PARAMS, INVALID_RECIPIENT, StatusError, THROTTLED, UNKNOWN,
};
use crate::eight_by_eight::receipt::Receipt;

const UNREACHABLE: i64 = 1260;

/// Their codes, and the one of ours that means the same.
const CODES: [(&[i64], i64); 21] = [
    (&[3], 1010),
    (&[16, 17, 18], INVALID_PARAMS),
    (&[14], INTERNAL_ERROR),
    (&[2, 38], 1040),
    (&[19], ILLEGAL_SENDER),
    (&[15], INVALID_RECIPIENT),
    (&[50], THROTTLED),
    (&[1, 46, 47], 1180),
    (&[55, 59], 1190),
    (&[30], 1200),
    (&[43, 60], 1210),
    (&[45], 1220),
    (&[23, 35, 48], 1230),
    (&[11], 1241),
    (&[33], 1250),
    (&[36, 51, 61], UNREACHABLE),
    (&[24], 1270),
    (&[26], 1280),
    (&[37], 1310),
    (&[13], 1300),
    (&[40, 41], 1331),
];

/// What became of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptStatus {
    pub status: MessageStatus,
    /// Of every failure, and of nothing else.
    pub error: Option<StatusError>,
}

/// `None` for states that say nothing.
pub fn status_of_receipt(receipt: &Receipt) -> Option<ReceiptStatus> {
    let status = match receipt.state.as_str() {
        "queued" | "accepted" | "ok" | "sent" => MessageStatus::Submitted,
        "delivered" => MessageStatus::Delivered,
        "read" => MessageStatus::Read,
        "rejected" => MessageStatus::Rejected,
        "undelivered" | "failed" | "error" => MessageStatus::Undeliverable,
        _ => return None,
    };
    let general = if status == MessageStatus::Rejected { UNKNOWN } else { UNREACHABLE };
    let code = receipt.error_code.and_then(translate).unwrap_or(general);
    Some(ReceiptStatus { status, error: status.is_failure().then(|| StatusError::of(code)) })
}

fn translate(theirs: i64) -> Option<i64> {
    CODES.iter().find(|(codes, _)| codes.contains(&theirs)).map(|(_, ours)| *ours)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CODES, MessageStatus, status_of_receipt};
    use crate::eight_by_eight::inbound::{Inbound, parse};
    use crate::eight_by_eight::receipt::Receipt;
    use crate::messages_api::status_code::reason_of;

    fn receipt(state: &str, error_code: i64) -> Receipt {
        let body = json!({"namespace": "SMS", "eventType": "outbound_message_status_changed", "payload": {
            "umid": "m-1", "status": {"state": state, "errorCode": error_code}}});
        match parse(&body).unwrap() {
            Inbound::Receipt(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_state_that_says_something_is_a_status() {
        for (state, status, code) in [
            ("queued", MessageStatus::Submitted, None),
            ("Sent", MessageStatus::Submitted, None),
            ("delivered", MessageStatus::Delivered, None),
            ("read", MessageStatus::Read, None),
            ("rejected", MessageStatus::Rejected, Some(1330)),
            ("undelivered", MessageStatus::Undeliverable, Some(1260)),
            ("failed", MessageStatus::Undeliverable, Some(1260)),
        ] {
            let read = status_of_receipt(&receipt(state, 0)).unwrap();
            assert_eq!((read.status, read.error.map(|error| error.code)), (status, code), "{state}");
        }
        for state in ["unknown", "something-new"] {
            assert_eq!(status_of_receipt(&receipt(state, 0)), None, "{state}");
        }
    }

    #[test]
    fn codes_that_mean_the_same_are_translated_and_each_once() {
        for (state, theirs, ours) in [
            ("undelivered", 15, 1170),
            ("undelivered", 1, 1180),
            ("rejected", 19, 1120),
            ("rejected", 43, 1210),
            ("rejected", 57, 1330),
            ("undelivered", 57, 1260),
        ] {
            let read = status_of_receipt(&receipt(state, theirs)).unwrap();
            assert_eq!(read.error.unwrap().code, ours, "{theirs}");
        }
        let mut all: Vec<i64> = CODES.iter().flat_map(|(codes, _)| codes.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(CODES.iter().all(|(_, ours)| reason_of(*ours).is_some()));
    }
}
