//! `message.content` (Dispatch 4.4).

use serde_json::json;

use super::*;

const TYPES: [&str; 7] = ["text", "image", "audio", "video", "file", "template", "custom"];

fn payload(kind: &str) -> Value {
    match kind {
        "text" => json!("x"),
        "template" => json!({"name": "acme_ns:parcel"}),
        "custom" => json!({"attachment": {"type": "template"}}),
        _ => json!({"url": "https://shop.example/a.bin"}),
    }
}

fn containing(channel: Channel, kind: &str, payload: Value) -> Value {
    let mut content = json!({"type": kind});
    content[kind] = payload;
    let mut step = with(step(channel), "/message/content", content);
    if channel == Channel::Whatsapp {
        step["message"]["whatsapp"] = json!({"locale": "en-GB"});
    }
    step
}

#[test]
fn n_045_every_channel_takes_its_own_types() {
    for (channel, taken) in [
        (Channel::Sms, [true, false, false, false, false, false, false]),
        (Channel::Mms, [true, true, false, false, false, false, false]),
        (Channel::ViberServiceMsg, [true, true, false, false, false, true, true]),
        (Channel::Messenger, [true, true, true, true, true, false, true]),
        (Channel::Whatsapp, [true, true, true, true, true, true, true]),
    ] {
        for (kind, taken) in TYPES.into_iter().zip(taken) {
            let step = containing(channel, kind, payload(kind));
            if taken {
                assert_eq!(accepted_step(&step).message, step["message"]);
            } else {
                assert_eq!(flaw(&step).0, "message.content.type", "{channel:?} {kind}");
            }
        }
    }
    let reason = |channel| flaw(&containing(channel, "video", payload("video"))).1;
    assert_eq!(reason(Channel::Sms), "must be `text` on sms");
    assert_eq!(reason(Channel::Mms), "must be `text` or `image` on mms");
}

#[test]
fn n_044_a_text_is_as_long_as_its_channel_allows() {
    for (channel, most) in [
        (Channel::Sms, 1000),
        (Channel::ViberServiceMsg, 1000),
        (Channel::Messenger, 640),
        (Channel::Whatsapp, 4096),
    ] {
        // A character of four bytes and two UTF-16 units is one.
        for char in ["x", "\u{1f69a}"] {
            for length in [1, most] {
                accepted_step(&containing(channel, "text", char.repeat(length).into()));
            }
            let step = containing(channel, "text", char.repeat(most + 1).into());
            let reason = format!("must have 1 to {most} characters");
            assert_eq!(flaw(&step), ("message.content.text".to_owned(), reason));
        }
        assert_eq!(flaw(&containing(channel, "text", "".into())).0, "message.content.text");
    }
    accepted_step(&containing(Channel::Mms, "text", "x".repeat(5000).into()));
    assert_eq!(flaw(&containing(Channel::Mms, "text", "".into())).1, "must not be empty");
}

#[test]
fn n_046_what_a_type_needs_is_named() {
    for kind in TYPES {
        let name = format!("message.content.{kind}");
        let absent =
            without(containing(Channel::Whatsapp, kind, payload(kind)), &format!("/message/content/{kind}"));
        assert_eq!(flaw(&absent), (name.clone(), "is required".to_owned()));
        for other in [json!(1), json!(["x"]), json!(false)] {
            assert_eq!(flaw(&containing(Channel::Whatsapp, kind, other)).0, name);
        }
        let swapped = if kind == "text" { json!({"url": "x"}) } else { json!("https://shop.example/a") };
        assert_eq!(flaw(&containing(Channel::Whatsapp, kind, swapped)).0, name);
    }
    for kind in ["image", "audio", "video", "file"] {
        let flaw = flaw(&containing(Channel::Whatsapp, kind, json!({})));
        assert_eq!(flaw, (format!("message.content.{kind}.url"), "is required".to_owned()));
    }
    accepted_step(&containing(Channel::Messenger, "custom", json!({})));
}

#[test]
fn n_046_a_url_is_absolute_and_up_to_2000_characters() {
    let url = |length: usize| format!("https://shop.example/{}", "x".repeat(length - 21));
    for url in [url(22), url(2000), "HTTP://shop.example".to_owned()] {
        accepted_step(&containing(Channel::Mms, "image", json!({"url": url})));
    }
    for (url, reason) in [
        (json!(url(2001)), "must have 1 to 2000 characters"),
        (json!(""), "must have 1 to 2000 characters"),
        (json!("shop.example/a.jpg"), "must be an absolute http or https URL"),
        (json!("ftp://shop.example/a.jpg"), "must be an absolute http or https URL"),
        (json!(5), "must be a string"),
    ] {
        let flaw = flaw(&containing(Channel::Mms, "image", json!({"url": url})));
        assert_eq!(flaw, ("message.content.image.url".to_owned(), reason.to_owned()));
    }
}

#[test]
fn a_caption_counts_where_it_is_shown() {
    let captioned = |channel, kind, caption: Value| {
        containing(channel, kind, json!({"url": "https://shop.example/a", "caption": caption}))
    };
    let shown = [(Channel::Whatsapp, "image"), (Channel::Whatsapp, "file"), (Channel::Mms, "image")];
    for (channel, kind) in shown {
        for caption in [json!("x"), json!("ü".repeat(3000)), json!(null)] {
            accepted_step(&captioned(channel, kind, caption));
        }
        for caption in [json!(""), json!("x".repeat(3001)), json!(1)] {
            assert_eq!(flaw(&captioned(channel, kind, caption)).0, format!("message.content.{kind}.caption"));
        }
    }
    for (channel, kind) in [
        (Channel::Messenger, "image"),
        (Channel::Messenger, "file"),
        (Channel::ViberServiceMsg, "image"),
        (Channel::Whatsapp, "audio"),
    ] {
        accepted_step(&captioned(channel, kind, 1.into()));
    }
}

#[test]
fn n_049_parameters_of_templates_are_texts_however_they_were_written() {
    let template = |parameters: Value| {
        containing(Channel::Whatsapp, "template", json!({"name": "acme_ns:parcel", "parameters": parameters}))
    };
    for (written, kept) in [
        (json!([]), json!([])),
        (json!(["Dana", "14:00"]), json!(["Dana", "14:00"])),
        (json!([{"default": "Dana"}, {"default": "14:00", "more": 1}]), json!(["Dana", "14:00"])),
        (json!(["", {"default": ""}, "x"]), json!(["", "", "x"])),
    ] {
        let found = accepted_step(&template(written));
        assert_eq!(
            found.message["content"]["template"],
            json!({"name": "acme_ns:parcel", "parameters": kept})
        );
    }
    let (name, reason) = flaw(&template(json!({"0": "Dana"})));
    assert_eq!((name.as_str(), reason.as_str()), ("message.content.template.parameters", "must be an array"));
    for other in [json!(7), json!(null), json!({}), json!({"default": 7}), json!(["x"])] {
        let (name, reason) = flaw(&template(json!(["Dana", other])));
        assert_eq!(name, "message.content.template.parameters[1]");
        assert_eq!(reason, "must be a string, or an object whose `default` is a string");
    }
    for name in [json!({}), json!({"name": ""}), json!({"name": 1})] {
        assert_eq!(flaw(&containing(Channel::Whatsapp, "template", name)).0, "message.content.template.name");
    }
}

#[test]
fn what_only_looks_like_a_template_is_left_alone() {
    let mut step = step(Channel::Sms);
    step["message"]["content"]["template"] = json!({"parameters": [{"default": "x"}, 1]});
    assert_eq!(accepted_step(&step).message, step["message"]);
    let custom = json!({"type": "template", "template": {"parameters": [{"default": "x"}]}});
    let step = containing(Channel::Whatsapp, "custom", custom);
    assert_eq!(accepted_step(&step).message, step["message"]);
}

#[test]
fn content_and_its_type_have_to_be_there() {
    for (pointer, value, name) in [
        ("/message", json!(null), "message"),
        ("/message", json!("x"), "message"),
        ("/message", json!({}), "message.content"),
        ("/message/content", json!([]), "message.content"),
        ("/message/content", json!({"text": "x"}), "message.content.type"),
        ("/message/content/type", json!("location"), "message.content.type"),
        ("/message/content/type", json!("Text"), "message.content.type"),
        ("/message/content/type", json!(1), "message.content.type"),
    ] {
        assert_eq!(flaw(&with(step(Channel::Sms), pointer, value.clone())).0, name, "{value}");
    }
}

#[test]
fn on_no_known_channel_only_what_holds_on_all_is_checked() {
    let unknown = |kind: &str, payload: Value| {
        let step = containing(Channel::Sms, kind, payload);
        names_of_step(&with(with(step, "/from/type", "x".into()), "/to/type", "x".into()))
    };
    assert_eq!(unknown("video", payload("video")), ["from.type", "to.type"]);
    assert_eq!(unknown("text", "x".repeat(5000).into()), ["from.type", "to.type"]);
    assert_eq!(unknown("image", json!({})), ["from.type", "to.type", "message.content.image.url"]);
    let step = with(containing(Channel::Sms, "image", payload("image")), "/from/type", "x".into());
    assert_eq!(names_of_step(&step), ["from.type", "message.content.type"]);
}
