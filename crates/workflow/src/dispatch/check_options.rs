//! The object beside `content` that is named after the channel (Dispatch 4.5). Those of other channels are not
//! looked at.

use serde_json::{Map, Value};

use super::channel::Channel;
use super::content_type::ContentType;
use super::place::Place;
use super::problems::{Problems, given};

pub(super) fn check_options(
    message: &Map<String, Value>,
    channel: Channel,
    kind: Option<ContentType>,
    place: &Place,
    problems: &mut Problems,
) {
    let none = Map::new();
    let place = place.member(channel.as_str());
    let options = match given(message, channel.as_str()) {
        None => &none,
        Some(_) if matches!(channel, Channel::Sms | Channel::Mms) => return,
        Some(value) => match problems.object(value, &place) {
            None => return,
            Some(options) => options,
        },
    };
    match channel {
        Channel::Messenger => check_messenger(options, &place, problems),
        Channel::ViberServiceMsg => check_viber(options, &place, problems),
        Channel::Whatsapp => check_whatsapp(options, kind, &place, problems),
        Channel::Sms | Channel::Mms => {}
    }
}

fn check_messenger(options: &Map<String, Value>, place: &Place, problems: &mut Problems) {
    let category = given(options, "category").and_then(|category| {
        problems.word(category, &place.member("category"), &["response", "update", "message_tag"])
    });
    let tag = given(options, "tag");
    let place = place.member("tag");
    if category == Some("message_tag") {
        problems.required_text(tag, &place, 1..=usize::MAX);
    } else if let Some(tag) = tag {
        problems.text(tag, &place, 0..=usize::MAX);
    }
}

fn check_viber(options: &Map<String, Value>, place: &Place, problems: &mut Problems) {
    if let Some(category) = given(options, "category") {
        problems.word(category, &place.member("category"), &["transaction", "promotion"]);
    }
    if let Some(ttl) = given(options, "ttl")
        && !ttl.as_u64().is_some_and(|ttl| (30..=86_400).contains(&ttl))
    {
        problems.add(&place.member("ttl"), "must be an integer between 30 and 86400");
    }
    if let Some(kind) = given(options, "type") {
        problems.word(kind, &place.member("type"), &["template"]);
    }
}

fn check_whatsapp(
    options: &Map<String, Value>,
    kind: Option<ContentType>,
    place: &Place,
    problems: &mut Problems,
) {
    let named = place.member("locale");
    match given(options, "locale") {
        None if kind == Some(ContentType::Template) => problems.add(&named, "is required for a template"),
        None => {}
        Some(locale) if locale.as_str().is_some_and(is_locale) => {}
        Some(_) => problems.add(&named, "must be a language tag as in `en-GB`"),
    }
    if let Some(policy) = given(options, "policy") {
        problems.word(policy, &place.member("policy"), &["deterministic"]);
    }
}

/// A language and what narrows it down. The underscore is how WhatsApp writes it.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
