//! What becomes of a message without anybody saying so: the last digits of its recipient's number or id decide.

use trunkline_connectors::messages_api::{MessageStatus, StatusError};
use trunkline_workflow::dispatch::Channel;

/// What an SMS or MMS costs that is delivered.
const PRICE: &str = "0.0333";

/// "Illegal Sender Address - rejected".
const ILLEGAL_SENDER: i64 = 1120;
/// "Destination unreachable".
const UNREACHABLE: i64 = 1260;

/// A status that the platform tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) status: MessageStatus,
    /// Of every failure, and of nothing else.
    pub(super) error: Option<StatusError>,
    /// In euros.
    pub(super) price: Option<String>,
}

impl Told {
    fn progress(status: MessageStatus) -> Self {
        Self { status, error: None, price: None }
    }

    fn failure(status: MessageStatus) -> Self {
        Self { status, error: usual_error(status), price: None }
    }
}

/// What a failure is put down to when nothing else is said.
pub(super) fn usual_error(status: MessageStatus) -> Option<StatusError> {
    let code = match status {
        MessageStatus::Rejected => ILLEGAL_SENDER,
        MessageStatus::Undeliverable => UNREACHABLE,
        MessageStatus::Submitted | MessageStatus::Delivered | MessageStatus::Read => return None,
    };
    Some(StatusError::of(code))
}

/// In their order; nothing for most recipients.
pub(super) fn statuses_that_follow(channel: Channel, recipient: &str) -> Vec<Told> {
    use MessageStatus::{Delivered, Read, Rejected, Submitted, Undeliverable};

    let ending = |digits: &&str| recipient.ends_with(digits);
    let price = matches!(channel, Channel::Sms | Channel::Mms).then(|| PRICE.to_owned());
    let submitted = || Told::progress(Submitted);
    let delivered = || Told { price: price.clone(), ..Told::progress(Delivered) };
    match ["0201", "0202", "0203", "0204", "0999"].iter().find(|digits| ending(digits)) {
        Some(&"0201") => vec![submitted(), delivered()],
        Some(&"0202") => vec![submitted(), delivered(), Told::progress(Read)],
        Some(&"0203") => vec![submitted(), Told::failure(Undeliverable)],
        Some(_) => vec![Told::failure(Rejected)],
        None => Vec::new(),
    }
}
