//! The options of channels (Dispatch 4.5).

use serde_json::json;

use super::*;

/// A text with these options, or a template.
fn optioned(channel: Channel, options: Value) -> Value {
    let mut step = step(channel);
    step["message"][channel.as_str()] = options;
    step
}

fn template(channel: Channel, options: Value) -> Value {
    let content = json!({"type": "template", "template": {"name": "acme_ns:parcel"}});
    with(optioned(channel, options), "/message/content", content)
}

fn reasons(channel: Channel, table: &[(Value, &str, &str)]) {
    for (options, member, reason) in table {
        let name = format!("message.{}.{member}", channel.as_str());
        assert_eq!(flaw(&optioned(channel, options.clone())), (name, (*reason).to_owned()), "{options}");
    }
}

#[test]
fn n_047_a_message_tag_has_to_be_named() {
    for options in [
        json!({}),
        json!(null),
        json!({"category": null}),
        json!({"category": "response"}),
        json!({"category": "update", "tag": "ANYTHING"}),
        json!({"category": "message_tag", "tag": "CONFIRMED_EVENT_UPDATE"}),
        json!({"tag": "CONFIRMED_EVENT_UPDATE", "else": 1}),
    ] {
        let step = optioned(Channel::Messenger, options.clone());
        assert_eq!(accepted_step(&step).message["messenger"], options);
    }
    let categories = "must be `response`, `update` or `message_tag`";
    reasons(
        Channel::Messenger,
        &[
            (json!({"category": "message_tag"}), "tag", "is required"),
            (json!({"category": "message_tag", "tag": null}), "tag", "is required"),
            (json!({"category": "message_tag", "tag": ""}), "tag", "must not be empty"),
            (json!({"category": "message_tag", "tag": 1}), "tag", "must be a string"),
            (json!({"tag": 1}), "tag", "must be a string"),
            (json!({"category": "MESSAGE_TAG"}), "category", categories),
            (json!({"category": 1}), "category", categories),
        ],
    );
}

#[test]
fn n_048_the_options_of_viber() {
    for options in [
        json!({}),
        json!({"category": "transaction"}),
        json!({"category": "promotion", "ttl": 30}),
        json!({"ttl": 86_400}),
        json!({"ttl": null}),
        json!({"type": "template"}),
    ] {
        accepted_step(&optioned(Channel::ViberServiceMsg, options));
    }
    let ttl = "must be an integer between 30 and 86400";
    reasons(
        Channel::ViberServiceMsg,
        &[
            (json!({"ttl": 29}), "ttl", ttl),
            (json!({"ttl": 86_401}), "ttl", ttl),
            (json!({"ttl": -30}), "ttl", ttl),
            (json!({"ttl": 30.0}), "ttl", ttl),
            (json!({"ttl": "600"}), "ttl", ttl),
            (json!({"category": "transactional"}), "category", "must be `transaction` or `promotion`"),
            (json!({"type": "text"}), "type", "must be `template`"),
        ],
    );
}

#[test]
fn n_050_the_policy_of_whatsapp_is_deterministic() {
    for options in [json!({}), json!({"policy": "deterministic"}), json!({"policy": null, "locale": "de"})] {
        accepted_step(&optioned(Channel::Whatsapp, options));
    }
    let only = "must be `deterministic`";
    reasons(
        Channel::Whatsapp,
        &[
            (json!({"policy": "fallback"}), "policy", only),
            (json!({"policy": "Deterministic"}), "policy", only),
            (json!({"policy": 1}), "policy", only),
        ],
    );
}

#[test]
fn n_049_a_template_on_whatsapp_has_a_locale() {
    for locale in ["en", "en-GB", "en_GB", "fil", "zh-Hant-TW", "es-419"] {
        accepted_step(&template(Channel::Whatsapp, json!({"locale": locale})));
        accepted_step(&optioned(Channel::Whatsapp, json!({"locale": locale})));
    }
    let name = "message.whatsapp.locale".to_owned();
    for options in [json!(null), json!({}), json!({"locale": null, "policy": "deterministic"})] {
        let required = (name.clone(), "is required for a template".to_owned());
        assert_eq!(flaw(&template(Channel::Whatsapp, options)), required);
    }
    for locale in
        [json!(""), json!("e"), json!("english"), json!("en-"), json!("en GB"), json!("-GB"), json!(44)]
    {
        let flaw = flaw(&template(Channel::Whatsapp, json!({"locale": locale})));
        assert_eq!(flaw, (name.clone(), "must be a language tag as in `en-GB`".to_owned()));
    }
    accepted_step(&template(Channel::ViberServiceMsg, json!(null)));
}

#[test]
fn options_are_an_object_and_those_of_other_channels_nothing() {
    for channel in [Channel::Messenger, Channel::ViberServiceMsg, Channel::Whatsapp] {
        let name = format!("message.{}", channel.as_str());
        for other in [json!("x"), json!([]), json!(false)] {
            assert_eq!(flaw(&optioned(channel, other)), (name.clone(), "must be an object".to_owned()));
        }
    }
    for channel in Channel::ALL {
        let mut step = step(channel);
        for other in Channel::ALL.into_iter().filter(|other| *other != channel || channel == Channel::Sms) {
            step["message"][other.as_str()] = json!({"category": 1, "ttl": 1, "policy": "fallback"});
        }
        assert_eq!(accepted_step(&step).message, step["message"]);
    }
}
