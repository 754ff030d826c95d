//! `from` and `to` (Dispatch 4.3, 4.7).

use serde_json::json;

use super::*;

/// A text on this channel, with this address at `/from/…` or `/to/…`.
fn addressed(channel: Channel, pointer: &str, address: Value) -> Value {
    with(step(channel), pointer, address)
}

#[test]
fn n_038_only_known_channels_have_messages() {
    for channel in Channel::ALL {
        assert_eq!(accepted_step(&step(channel)).channel, channel);
    }
    for unknown in [json!("telegram"), json!("viber_service_message"), json!("SMS"), json!(""), json!(1)] {
        for side in ["from", "to"] {
            let step = with(step(Channel::Sms), &format!("/{side}/type"), unknown.clone());
            let (name, reason) = flaw(&step);
            assert_eq!(name, format!("{side}.type"));
            assert_eq!(reason, "must be `sms`, `mms`, `whatsapp`, `viber_service_msg` or `messenger`");
        }
    }
    let step = without(without(step(Channel::Sms), "/from/type"), "/to/type");
    assert_eq!(names_of_step(&step), ["from.type", "to.type"]);
}

#[test]
fn n_039_both_sides_are_on_the_same_channel() {
    let step = with(step(Channel::Sms), "/from", json!({"type": "messenger", "id": "1"}));
    assert_eq!(flaw(&step).0, "to.type");
    let body = with(canonical(), "/workflow/0/to/type", "sms".into());
    assert_eq!(refused(&body), ["workflow[0].to.type", "workflow[0].to.number"]);
}

#[test]
fn n_040_every_channel_has_its_own_addresses() {
    for (channel, from, to) in [
        (Channel::Sms, "number", "number"),
        (Channel::Mms, "number", "number"),
        (Channel::Whatsapp, "number", "number"),
        (Channel::ViberServiceMsg, "id", "number"),
        (Channel::Messenger, "id", "id"),
    ] {
        for (side, member) in [("from", from), ("to", to)] {
            let pointer = format!("/{side}/{member}");
            let name = format!("{side}.{member}");
            let required = (name.clone(), "is required".to_owned());
            assert_eq!(flaw(&without(step(channel), &pointer)), required);
            assert_eq!(flaw(&with(step(channel), &pointer, Value::Null)), required);
            for other in [json!(""), json!(true), json!(["1"]), json!({}), json!(-1), json!(1.5), json!(1e9)]
            {
                assert_eq!(flaw(&with(step(channel), &pointer, other)).0, name);
            }
        }
    }
    for side in ["from", "to"] {
        for (party, reason) in [(json!(null), "is required"), (json!("447700900000"), "must be an object")] {
            let step = with(step(Channel::Sms), &format!("/{side}"), party);
            assert_eq!(flaw(&step), (side.to_owned(), reason.to_owned()));
        }
    }
}

#[test]
fn a_recipient_on_viber_may_stand_in_id() {
    for (to, recipient) in [
        (json!({"type": "viber_service_msg", "id": "447700900000"}), "447700900000"),
        (json!({"type": "viber_service_msg", "id": 447_700_900_000_u64}), "447700900000"),
        (json!({"type": "viber_service_msg", "number": null, "id": "447700900000"}), "447700900000"),
        (json!({"type": "viber_service_msg", "number": "447700900002", "id": "x"}), "447700900002"),
    ] {
        let found = accepted_step(&with(step(Channel::ViberServiceMsg), "/to", to));
        assert_eq!((found.sender(), found.recipient()), ("4711", recipient));
    }
    let step = addressed(Channel::ViberServiceMsg, "/to", json!({"type": "viber_service_msg", "id": "+44"}));
    assert_eq!(flaw(&step), ("to.id".to_owned(), "must not start with +".to_owned()));
    let sms = with(without(super::step(Channel::Sms), "/to/number"), "/to/id", "447700900000".into());
    assert_eq!(flaw(&sms).0, "to.number");
}

#[test]
fn n_041_a_recipient_is_a_whole_number_without_decoration() {
    let phones = [
        (Channel::Sms, "/to/number"),
        (Channel::Mms, "/to/number"),
        (Channel::Whatsapp, "/to/number"),
        (Channel::Whatsapp, "/from/number"),
        (Channel::ViberServiceMsg, "/to/number"),
    ];
    for (channel, pointer) in phones {
        for number in ["1234567", "447700900000", "999999999999999"] {
            accepted_step(&addressed(channel, pointer, number.into()));
        }
        for (number, reason) in [
            ("+447700900000", "must not start with +"),
            ("00447700900000", "must not start with 00"),
            ("0447700900000", "must not start with 0"),
            ("44 7700 900000", "must consist of digits"),
            ("44-7700-900000", "must consist of digits"),
            ("447700900000 ", "must consist of digits"),
            ("44770090000a", "must consist of digits"),
            ("٤٤٧٧٠٠٩٠", "must consist of digits"),
            ("NEXMO", "must consist of digits"),
            ("123456", "must have 7 to 15 digits"),
            ("1234567890123456", "must have 7 to 15 digits"),
            ("", "must not be empty"),
        ] {
            assert_eq!(flaw(&addressed(channel, pointer, number.into())).1, reason, "{channel:?} {number}");
        }
    }
}

#[test]
fn n_042_an_sms_may_come_from_a_name() {
    for sender in ["NEXMO", "My Shop 24", "a", "12345678 ab", "Bücherei", "123", "012", "123456789012345"] {
        let found = accepted_step(&addressed(Channel::Sms, "/from/number", sender.into()));
        assert_eq!(found.sender(), sender);
    }
    let neither = "must have 3 to 15 digits, or 1 to 11 letters, digits and spaces with at least one letter";
    for (sender, reason) in [
        ("+447700900001", "must not start with +"),
        ("00447700900001", "must not start with 00"),
        ("12", neither),
        ("1234567890123456", neither),
        ("TwelveLetter", neither),
        ("12 34", neither),
        (" ", neither),
        ("Me & You", neither),
        ("a\tb", neither),
    ] {
        let step = addressed(Channel::Sms, "/from/number", sender.into());
        assert_eq!(flaw(&step), ("from.number".to_owned(), reason.to_owned()), "{sender}");
    }
}

#[test]
fn an_mms_comes_from_a_short_code() {
    for sender in ["123", "12345", "123456789012345"] {
        accepted_step(&addressed(Channel::Mms, "/from/number", sender.into()));
    }
    for sender in ["12", "1234567890123456", "NEXMO", "+123", "00123", ""] {
        assert_eq!(flaw(&addressed(Channel::Mms, "/from/number", sender.into())).0, "from.number");
    }
}

#[test]
fn an_id_is_up_to_50_printable_characters() {
    for (channel, pointer) in [
        (Channel::Messenger, "/from/id"),
        (Channel::Messenger, "/to/id"),
        (Channel::ViberServiceMsg, "/from/id"),
    ] {
        for id in ["1", "page.id-7 ü", &"ü".repeat(50)] {
            accepted_step(&addressed(channel, pointer, id.into()));
        }
        for (id, reason) in [
            (String::new(), "must have 1 to 50 characters"),
            ("x".repeat(51), "must have 1 to 50 characters"),
            ("a\nb".to_owned(), "must not have control characters"),
        ] {
            assert_eq!(flaw(&addressed(channel, pointer, id.into())).1, reason);
        }
    }
}

#[test]
fn n_043_an_integer_is_an_address_with_all_its_digits() {
    let body = r#"{"template": "failover", "workflow": [
        {"from": {"type": "messenger", "id": 9007199254740993}, "to": {"id": 18446744073709551615, "type": "messenger"},
         "message": {"content": {"type": "text", "text": "x"}},
         "failover": {"expiry_time": 15, "condition_status": "read"}},
        {"from": {"type": "sms", "number": 447700900001}, "to": {"type": "sms", "number": 447700900000},
         "message": {"content": {"type": "text", "text": "x"}}}
    ]}"#;
    let found = parse(body.as_bytes()).unwrap();
    let echoed: Vec<String> = found
        .messages
        .iter()
        .flat_map(|message| [message.from.to_string(), message.to.to_string()])
        .collect();
    assert_eq!(
        echoed,
        [
            r#"{"type":"messenger","id":"9007199254740993"}"#,
            r#"{"id":"18446744073709551615","type":"messenger"}"#,
            r#"{"type":"sms","number":"447700900001"}"#,
            r#"{"type":"sms","number":"447700900000"}"#,
        ]
    );
    assert_eq!(found.messages[0].sender(), "9007199254740993");
    accepted_step(&addressed(Channel::Messenger, "/to/id", 0.into()));
    for number in ["18446744073709551616", "-447700900000", "447700900000.0", "4477e8", "-0", "44770"] {
        let body = step(Channel::Sms).to_string().replace("\"447700900000\"", number);
        assert_eq!(names(list(parse_message(body.as_bytes()))), ["to.number"], "{number}");
    }
}

#[test]
fn addresses_that_mean_nothing_on_the_channel_are_echoed_as_they_are() {
    let from = json!({"number": 0, "type": "messenger", "id": "1", "id2": [1.5]});
    let to = json!({"id": -3, "number": "447700900000", "type": "sms"});
    let found = accepted_step(&with(step(Channel::Messenger), "/from", from.clone()));
    assert_eq!(found.from.to_string(), from.to_string());
    let found = accepted_step(&with(step(Channel::Sms), "/to", to.clone()));
    assert_eq!(found.to.to_string(), to.to_string());
}
