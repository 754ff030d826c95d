//! `from` and `to` of a message (Dispatch 4.3).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::channel::{Channel, Side};
use super::check_number::{check_id, check_mms_sender, check_phone_number, check_sms_sender};
use super::place::Place;
use super::problems::{Problems, given};

/// The channel that both name. Of two that differ, neither; if one is missing or unknown, the other, so that
/// more can be said about the rest of the message.
pub(super) fn check_parties(
    step: &Map<String, Value>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Channel> {
    let from = check_party(step, Side::From, place, problems);
    let to = check_party(step, Side::To, place, problems);
    if from.is_some() && to.is_some() && from != to {
        problems.add(&place.member("to").member("type"), "must be equal to the `type` of `from`");
        return None;
    }
    to.or(from)
}

fn check_party(
    step: &Map<String, Value>,
    side: Side,
    place: &Place,
    problems: &mut Problems,
) -> Option<Channel> {
    let place = place.member(side.name());
    let value = problems.required(given(step, side.name()), &place)?;
    let party = problems.object(value, &place)?;
    let kind = place.member("type");
    let named = problems.required(given(party, "type"), &kind)?;
    let channel = Channel::parse(problems.word(named, &kind, &Channel::ALL.map(Channel::as_str))?)?;

    let name = side.address_member(channel, value);
    let place = place.member(name);
    if let Some(address) = problems.required(given(party, name), &place)
        && let Err(flaw) = check_address(address, channel, side)
    {
        problems.add(&place, flaw);
    }
    Some(channel)
}

fn check_address(address: &Value, channel: Channel, side: Side) -> Result<(), &'static str> {
    let text = as_text(address).ok_or("must be a string or a non-negative integer")?;
    match (channel, side) {
        (Channel::Messenger, _) | (Channel::ViberServiceMsg, Side::From) => check_id(&text),
        (Channel::Sms, Side::From) => check_sms_sender(&text),
        (Channel::Mms, Side::From) => check_mms_sender(&text),
        (_, Side::To) | (Channel::Whatsapp, Side::From) => check_phone_number(&text),
    }
}

/// Shell scripts leave the quotes out. What does not fit into 64 bits has lost its last digits already.
fn as_text(address: &Value) -> Option<Cow<'_, str>> {
    match address {
        Value::String(text) => Some(text.into()),
        other => other.as_u64().map(|number| number.to_string().into()),
    }
}

/// Makes the address a text if it was an integer.
pub(super) fn quote_address(party: &mut Value, channel: Channel, side: Side) {
    let name = side.address_member(channel, party);
    if let Some(address) = party.get_mut(name)
        && let Some(Cow::Owned(text)) = as_text(address)
    {
        *address = text.into();
    }
}
