//! `message.content` (Dispatch 4.4).

use serde_json::{Map, Value};

use super::channel::Channel;
use super::check_url::is_web_url;
use super::content_type::ContentType;
use super::place::Place;
use super::problems::{Problems, any_of, given};

const ANY_LENGTH: usize = usize::MAX;

/// What the message consists of. Without a channel, only what holds on all of them is checked.
pub(super) fn check_content(
    message: &Map<String, Value>,
    channel: Option<Channel>,
    place: &Place,
    problems: &mut Problems,
) -> Option<ContentType> {
    let place = place.member("content");
    let content = problems.required_object(given(message, "content"), &place)?;
    let named = place.member("type");
    let word = problems.required(given(content, "type"), &named)?;
    let kind =
        ContentType::parse(problems.word(word, &named, &ContentType::ALL.map(ContentType::as_str))?)?;
    if let Some(channel) = channel
        && !ContentType::accepted_on(channel).contains(&kind)
    {
        let accepted: Vec<&str> =
            ContentType::accepted_on(channel).iter().map(|kind| kind.as_str()).collect();
        problems.add(&named, format!("must be {} on {}", any_of(&accepted), channel.as_str()));
        return None;
    }

    let place = place.member(kind.as_str());
    let payload = given(content, kind.as_str());
    match kind {
        ContentType::Text => {
            problems.required_text(payload, &place, 1..=longest_text(channel));
        }
        ContentType::Image | ContentType::Audio | ContentType::Video | ContentType::File => {
            if let Some(media) = problems.required_object(payload, &place) {
                let captioned = channel.is_some_and(|channel| kind.has_caption(channel));
                check_url(media, &place, problems);
                if let Some(caption) = given(media, "caption").filter(|_| captioned) {
                    problems.text(caption, &place.member("caption"), 1..=3000);
                }
            }
        }
        ContentType::Template => {
            if let Some(template) = problems.required_object(payload, &place) {
                check_template(template, &place, problems);
            }
        }
        ContentType::Custom => {
            problems.required_object(payload, &place);
        }
    }
    Some(kind)
}

/// In characters. Nobody documents one for MMS.
fn longest_text(channel: Option<Channel>) -> usize {
    match channel {
        Some(Channel::Sms | Channel::ViberServiceMsg) => 1000,
        Some(Channel::Messenger) => 640,
        Some(Channel::Whatsapp) => 4096,
        Some(Channel::Mms) | None => ANY_LENGTH,
    }
}

fn check_url(media: &Map<String, Value>, place: &Place, problems: &mut Problems) {
    let place = place.member("url");
    if let Some(url) = problems.required_text(given(media, "url"), &place, 1..=2000)
        && !is_web_url(url)
    {
        problems.add(&place, "must be an absolute http or https URL");
    }
}

fn check_template(template: &Map<String, Value>, place: &Place, problems: &mut Problems) {
    problems.required_text(given(template, "name"), &place.member("name"), 1..=ANY_LENGTH);
    let Some(parameters) = given(template, "parameters") else { return };
    let place = place.member("parameters");
    let Some(parameters) = parameters.as_array() else {
        return problems.add(&place, "must be an array");
    };
    for (index, parameter) in parameters.iter().enumerate() {
        if parameter_text(parameter).is_none() {
            problems.add(&place.item(index), "must be a string, or an object whose `default` is a string");
        }
    }
}

/// Of both ways to write it.
fn parameter_text(parameter: &Value) -> Option<&str> {
    match parameter {
        Value::Object(members) => members.get("default")?.as_str(),
        other => other.as_str(),
    }
}

/// Writes the parameters of a template as texts, the one way that every provider reads.
pub(super) fn flatten_parameters(message: &mut Value) {
    let Some(content) = message.get_mut("content") else { return };
    if content.get("type").and_then(Value::as_str) != Some(ContentType::Template.as_str()) {
        return;
    }
    let parameters = content.pointer_mut("/template/parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        if let Some(text) = parameter_text(parameter) {
            *parameter = text.to_owned().into();
        }
    }
}
