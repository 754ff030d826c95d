//! A step of a workflow, or a message sent alone, which is the same (Dispatch 4.2).

use serde_json::{Map, Value};

use super::channel::Channel;
use super::check_content::check_content;
use super::check_failover::check_failover;
use super::check_options::check_options;
use super::check_party::check_parties;
use super::message::Failover;
use super::place::Place;
use super::problems::{Problems, given};
use super::rules::Strictness;

/// Whether another message stands ready if this one does not get through. If not, `failover` is not looked at
/// (U3).
#[derive(Clone, Copy)]
pub(super) enum Position {
    BeforeAnother(Strictness),
    Last,
}

/// What the checks have understood of a message.
pub(super) struct Checked {
    pub(super) channel: Channel,
    pub(super) client_ref: Option<String>,
    pub(super) failover: Option<Failover>,
}

/// Nothing only if there are problems.
pub(super) fn check_message(
    step: &Map<String, Value>,
    position: Position,
    place: &Place,
    problems: &mut Problems,
) -> Option<Checked> {
    let channel = check_parties(step, place, problems);
    let inner = place.member("message");
    if let Some(message) = problems.required_object(given(step, "message"), &inner) {
        let kind = check_content(message, channel, &inner, problems);
        if let Some(channel) = channel {
            check_options(message, channel, kind, &inner, problems);
        }
    }
    let client_ref = given(step, "client_ref")
        .and_then(|reference| problems.text(reference, &place.member("client_ref"), 0..=40));
    let failover = match position {
        Position::BeforeAnother(strictness) => check_failover(step, channel, strictness, place, problems),
        Position::Last => None,
    };
    Some(Checked { channel: channel?, client_ref: client_ref.map(str::to_owned), failover })
}
