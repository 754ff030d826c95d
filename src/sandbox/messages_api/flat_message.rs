//! v1 writes a message flat and v0.1 with objects (Workflows API 12.2): the one read as the other, and the names
//! of v0.1's fields led back.

use serde_json::{Map, Value, json};

/// In v1's words and in v0.1's.
const CHANNELS: [(&str, &str); 5] = [
    ("sms", "sms"),
    ("mms", "mms"),
    ("whatsapp", "whatsapp"),
    ("viber_service", "viber_service_msg"),
    ("messenger", "messenger"),
];

/// In v1's words.
pub(super) fn channels_of_v1() -> [&'static str; 5] {
    CHANNELS.map(|(flat, _)| flat)
}

/// In v0.1's words.
pub(super) fn channel_from_v1(channel: &str) -> Option<&'static str> {
    CHANNELS.into_iter().find_map(|(flat, nested)| (flat == channel).then_some(nested))
}

/// In v1's words.
pub(super) fn channel_in_v1(channel: &str) -> &str {
    CHANNELS.into_iter().find_map(|(flat, nested)| (nested == channel).then_some(flat)).unwrap_or(channel)
}

/// The member of v0.1's `from` and `to` that has the address of our side, or of the user's.
pub(super) fn address_member(channel: &str, is_ours: bool) -> &'static str {
    match channel {
        "messenger" => "id",
        "viber_service_msg" if is_ours => "id",
        _ => "number",
    }
}

/// A message of v1 as v0.1 writes it. `channel` is in v0.1's words.
pub(super) fn nest(flat: &Map<String, Value>, channel: &str) -> Value {
    let party = |name: &str, is_ours: bool| {
        let mut party = Map::from_iter([("type".to_owned(), json!(channel))]);
        if let Some(address) = flat.get(name) {
            party.insert(address_member(channel, is_ours).to_owned(), address.clone());
        }
        party
    };
    let mut content = Map::new();
    if let Some(kind) = flat.get("message_type") {
        content.insert("type".to_owned(), kind.clone());
        let payload = kind.as_str().and_then(|kind| Some((kind, flat.get(kind)?)));
        content.extend(payload.map(|(kind, payload)| (kind.to_owned(), payload.clone())));
    }
    let mut nested =
        json!({"from": party("from", true), "to": party("to", false), "message": {"content": content}});
    if let Some(options) = flat.get(channel_in_v1(channel)) {
        nested["message"][channel] = options.clone();
    }
    if let Some(client_ref) = flat.get("client_ref") {
        nested["client_ref"] = client_ref.clone();
    }
    nested
}

/// How v1 calls a field of v0.1.
pub(super) fn name_in_v1(name: &str) -> String {
    match name.strip_prefix("message.") {
        Some("content" | "content.type") => "message_type".to_owned(),
        Some(inner) => match inner.strip_prefix("content.") {
            Some(payload) => payload.to_owned(),
            None => inner.replacen("viber_service_msg", "viber_service", 1),
        },
        None => match name {
            "from.type" | "to.type" => "channel".to_owned(),
            "from.id" | "from.number" => "from".to_owned(),
            "to.id" | "to.number" => "to".to_owned(),
            name => name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{channel_from_v1, name_in_v1, nest};

    #[test]
    fn a_flat_message_is_read_as_one_of_the_first_generation() {
        let flat = json!({"channel": "viber_service", "message_type": "image", "to": "447700900000", "from": "10001",
            "image": {"url": "https://a.example/1.png"}, "text": "not this", "viber_service": {"ttl": 30},
            "client_ref": "r"});
        assert_eq!(
            nest(flat.as_object().unwrap(), channel_from_v1("viber_service").unwrap()),
            json!({
                "from": {"type": "viber_service_msg", "id": "10001"},
                "to": {"type": "viber_service_msg", "number": "447700900000"},
                "message": {"content": {"type": "image", "image": {"url": "https://a.example/1.png"}},
                    "viber_service_msg": {"ttl": 30}},
                "client_ref": "r",
            })
        );
        assert_eq!(
            nest(json!({"to": "2", "message_type": 5}).as_object().unwrap(), "messenger"),
            json!({"from": {"type": "messenger"}, "to": {"type": "messenger", "id": "2"},
                "message": {"content": {"type": 5}}})
        );
        assert_eq!(channel_from_v1("viber_service_msg"), None);
    }

    #[test]
    fn fields_have_their_flat_names() {
        for (nested, flat) in [
            ("to.number", "to"),
            ("from.id", "from"),
            ("message.content.type", "message_type"),
            ("message.content.image.url", "image.url"),
            ("message.viber_service_msg.ttl", "viber_service.ttl"),
            ("message.whatsapp.locale", "whatsapp.locale"),
            ("client_ref", "client_ref"),
        ] {
            assert_eq!(name_in_v1(nested), flat);
        }
    }
}
