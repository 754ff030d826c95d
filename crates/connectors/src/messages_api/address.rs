//! Who a message is from and to: v0.1 writes an object, `{"type": …, "number": …}` or
//! `{"type": …, "id": …}`, v1 the bare text beside a `channel`. And one channel has two names.

use serde_json::{Map, Value, json};

pub(super) const ID: &str = "id";
pub(super) const NUMBER: &str = "number";

/// The name of the channel in v1.
pub(super) fn channel_in_v1(channel: &str) -> &str {
    if channel == "viber_service_msg" { "viber_service" } else { channel }
}

/// The name of the channel in v0.1 and in everything that we write.
pub(super) fn channel_from_v1(channel: &str) -> &str {
    if channel == "viber_service" { "viber_service_msg" } else { channel }
}

/// Who writes to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Our sender, of a message going out (spec 4.3) or as recipient of one coming in (spec 10).
    Ours,
    Users,
}

/// The member that holds the address.
pub(super) fn member_of(channel: &str, side: Side) -> &'static str {
    match (channel, side) {
        ("messenger", _) | ("viber_service_msg", Side::Ours) => ID,
        _ => NUMBER,
    }
}

/// The bare address. The other member stands in for one that is missing, as in those samples of the
/// original that write a Viber recipient as `id`.
pub(super) fn bare_address(address: &Map<String, Value>, channel: &str, side: Side) -> Option<String> {
    let member = member_of(channel, side);
    let other = if member == ID { NUMBER } else { ID };
    [member, other].into_iter().find_map(|member| text(address.get(member)?))
}

/// The object around a bare address.
pub(super) fn address_object(channel: &str, side: Side, bare: &str) -> Value {
    json!({"type": channel, member_of(channel, side): bare})
}

/// Text that is not blank; numbers by their digits.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
