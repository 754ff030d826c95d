//! What the platform checks about a chat-apps message (spec 8.3, codes of 2.17.2).

use serde_json::{Map, Value};

use super::outbox::Product;
use super::refusal::Invalid;
use super::request_body::{is_phone_number, is_url, text};
use super::submission::Submission;

const CHANNELS: [&str; 9] =
    ["SMS", "WhatsApp", "Facebook", "RCS", "Viber", "Line", "WeChat", "Zalo", "Instagram"];
const SUCCESS_STATUSES: [&str; 4] = ["Accepted", "Sent", "Delivered", "Read"];

pub(super) fn check_chat_message(request: &Map<String, Value>) -> Result<Submission, Invalid> {
    let user = object(request, "user").ok_or_else(|| Invalid::new(3001, "Empty 'user'"))?;
    let country = text(user, "country")?;
    let msisdn = text(user, "msisdn")?.filter(|number| !number.is_empty());
    if msisdn.is_some_and(|number| !is_phone_number(number, country.is_some())) {
        return Err(Invalid::new(3003, "Invalid 'msisdn'."));
    }
    let line_user_id = text(user, "lineUserId")?.filter(|id| !id.is_empty());
    let channel_user_id = text(user, "channelUserId")?.filter(|id| !id.is_empty());
    let destination =
        msisdn.or(channel_user_id).or(line_user_id).ok_or_else(|| Invalid::new(3002, "Empty 'msisdn'"))?;

    let content = object(request, "content").ok_or_else(|| Invalid::new(3004, "Empty 'content'"))?;
    check_content(text(request, "type")?.unwrap_or_default(), content)?;
    let client_message_id = text(request, "clientMessageId")?;
    if client_message_id.is_some_and(|id| id.chars().count() > 50) {
        return Err(Invalid::new(3009, "Invalid 'clientMessageId'. Maximum length is 50."));
    }
    if text(request, "dlrCallbackUrl")?.is_some_and(|url| !is_url(url)) {
        return Err(Invalid::new(3020, "Invalid 'dlrCallbackUrl'."));
    }
    let first_channel = check_channels(request.get("channels"))?;
    let own_channel = if msisdn.is_none() && line_user_id.is_some() { "line" } else { "whatsapp" };
    Ok(Submission {
        product: Product::ChatApps,
        channel: first_channel.unwrap_or_else(|| own_channel.to_owned()),
        destination: destination.to_owned(),
        body: text(content, "text")?.map(str::to_owned),
        content: Value::Object(content.clone()),
        client_message_id: client_message_id.map(str::to_owned),
    })
}

fn check_content(kind: &str, content: &Map<String, Value>) -> Result<(), Invalid> {
    match kind.to_ascii_lowercase().as_str() {
        "text" => match text(content, "text")?.unwrap_or_default().chars().count() {
            0 => Err(Invalid::new(3005, "Empty 'text'")),
            1..=35_000 => Ok(()),
            _ => Err(Invalid::new(3006, "Invalid 'text'. Maximum length is 35000.")),
        },
        "image" | "audio" | "video" | "file" => match text(content, "url")? {
            None | Some("") => Err(Invalid::new(3007, "Empty 'url'")),
            Some(url) if is_url(url) => Ok(()),
            Some(_) => Err(Invalid::new(3008, "Invalid 'url'.")),
        },
        "location" => match object(content, "location") {
            Some(location) if location.contains_key("latitude") && location.contains_key("longitude") => {
                Ok(())
            }
            _ => Err(Invalid::new(3021, "Invalid 'location'.")),
        },
        "template" => match object(content, "template") {
            None => Err(Invalid::new(3030, "Empty 'template'")),
            Some(template) if text(template, "name")?.unwrap_or_default().is_empty() => {
                Err(Invalid::new(3032, "Invalid template name."))
            }
            Some(template) if text(template, "language")?.unwrap_or_default().is_empty() => {
                Err(Invalid::new(3036, "Empty template language."))
            }
            Some(_) => Ok(()),
        },
        "interactive" if object(content, "interactive").is_none() => {
            Err(Invalid::new(3004, "Empty 'interactive'"))
        }
        "interactive" | "carousel" | "richcard" => Ok(()),
        _ => Err(Invalid::new(3010, "Invalid 'type'.")),
    }
}

/// The first channel of the fallback order, in lower case.
fn check_channels(channels: Option<&Value>) -> Result<Option<String>, Invalid> {
    let steps = match channels {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(steps)) => steps,
        Some(_) => return Err(Invalid::new(3022, "Invalid fallback channel.")),
    };
    let mut first = None;
    for step in steps {
        let channel = one_of(&CHANNELS, &step["channel"])
            .ok_or_else(|| Invalid::new(3022, "Invalid fallback channel."))?;
        let delay = &step["fallbackAfter"];
        if !delay.is_null() && !delay.as_u64().is_some_and(|seconds| (10..=86_400).contains(&seconds)) {
            return Err(Invalid::new(3023, "Invalid fallback delay."));
        }
        let success = &step["successStatus"];
        if !success.is_null() && one_of(&SUCCESS_STATUSES, success).is_none() {
            return Err(Invalid::new(3024, "Invalid fallback status."));
        }
        first.get_or_insert_with(|| channel.to_ascii_lowercase());
    }
    Ok(first)
}

fn one_of<'a>(known: &[&'a str], value: &Value) -> Option<&'a str> {
    let text = value.as_str()?;
    known.iter().find(|known| known.eq_ignore_ascii_case(text)).copied()
}

fn object<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    members.get(name)?.as_object().filter(|object| !object.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::check_chat_message;
    use crate::sandbox::submission::Submission;

    fn check(request: &Value) -> Result<Submission, i64> {
        check_chat_message(request.as_object().unwrap()).map_err(|invalid| invalid.code)
    }

    #[test]
    fn each_mistake_has_the_code_of_the_platform() {
        for (member, value, code) in [
            ("user", json!(null), 3001),
            ("user", json!({}), 3001),
            ("user", json!({"country": "SG"}), 3002),
            ("user", json!({"msisdn": "SG.9"}), 3003),
            ("content", json!(null), 3004),
            ("content", json!({"x": 1}), 3005),
            ("content", json!({"text": "x".repeat(35_001)}), 3006),
            ("type", json!("postcard"), 3010),
            ("type", json!(null), 3010),
            ("type", json!("image"), 3007),
            ("type", json!("location"), 3021),
            ("type", json!("template"), 3030),
            ("type", json!("interactive"), 3004),
            ("clientMessageId", json!("x".repeat(51)), 3009),
            ("dlrCallbackUrl", json!("nowhere"), 3020),
            ("channels", json!("SMS"), 3022),
            ("channels", json!([{"channel": "Pigeon"}]), 3022),
            ("channels", json!([{"channel": "SMS", "fallbackAfter": 9}]), 3023),
            ("channels", json!([{"channel": "SMS", "successStatus": "Seen"}]), 3024),
        ] {
            let mut request =
                json!({"user": {"msisdn": "+6590001111"}, "type": "text", "content": {"text": "x"}});
            request[member] = value;
            assert_eq!(check(&request), Err(code), "{request}");
        }
    }

    #[test]
    fn media_and_templates_are_checked_as_far_as_they_must_be() {
        for (kind, content, outcome) in [
            ("Image", json!({"url": "https://a.example/x.png"}), Ok(())),
            ("image", json!({"url": "x.png"}), Err(3008)),
            ("location", json!({"location": {"latitude": 1.3, "longitude": 103.8}}), Ok(())),
            ("template", json!({"template": {"name": "t", "language": "en"}}), Ok(())),
            ("template", json!({"template": {"language": "en"}}), Err(3032)),
            ("template", json!({"template": {"name": "t"}}), Err(3036)),
            ("interactive", json!({"interactive": {"type": "button"}}), Ok(())),
            ("richCard", json!({"richCard": {}}), Ok(())),
        ] {
            let request = json!({"user": {"msisdn": "+6590001111"}, "type": kind, "content": content});
            assert_eq!(check(&request).map(|_| ()), outcome, "{request}");
        }
    }

    #[test]
    fn the_channel_is_the_first_of_the_fallbacks_or_follows_from_the_user() {
        for (user, channels, channel, destination) in [
            (json!({"msisdn": "+6590001111"}), json!(null), "whatsapp", "+6590001111"),
            (json!({"channelUserId": "SG.9"}), json!(null), "whatsapp", "SG.9"),
            (json!({"lineUserId": "U4af"}), json!(null), "line", "U4af"),
            (
                json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
                json!(null),
                "whatsapp",
                "+6590001111",
            ),
            (
                json!({"msisdn": "+6590001111"}),
                json!([{"channel": "Viber"}, {"channel": "SMS"}]),
                "viber",
                "+6590001111",
            ),
        ] {
            let request =
                json!({"user": user, "type": "text", "content": {"text": "x"}, "channels": channels});
            let submission = check(&request).unwrap();
            assert_eq!(
                (submission.channel.as_str(), submission.destination.as_str()),
                (channel, destination)
            );
        }
    }
}
