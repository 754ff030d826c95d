//! What clients say of an application.

use serde_json::{Map, Value};
use trunkline_store::applications::ApplicationFields;
use trunkline_store::nexmo_accounts::CallbackUrls;

use crate::api::nexmo::public_key::PublicKey;
use crate::api::nexmo::{InvalidParameter, Problem, parse_callback_url};

const LONGEST_NAME: usize = 255;
const WEBHOOKS: &str = "capabilities.messages.webhooks";

/// An application as a body describes it.
pub(super) struct ApplicationInput {
    pub(super) fields: ApplicationFields,
    /// `None`: none is given.
    pub(super) public_key: Option<PublicKey>,
}

impl ApplicationInput {
    /// All that is wrong is told at once. What is `null` is not there; members that we have no use for are ignored.
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, Problem> {
        let mut invalid = Vec::new();
        let name = read_name(body, &mut invalid);
        let keys = member(body, "keys", "keys", &mut invalid);
        let public_key = keys.and_then(|keys| read_key(keys, &mut invalid));
        let webhooks = member(body, "capabilities", "capabilities", &mut invalid)
            .and_then(|capabilities| member(capabilities, "messages", "capabilities.messages", &mut invalid))
            .and_then(|messages| member(messages, "webhooks", WEBHOOKS, &mut invalid));
        let mut url = |name| webhooks.and_then(|webhooks| read_url(webhooks, name, &mut invalid));
        let urls = CallbackUrls { status: url("status_url"), inbound: url("inbound_url") };
        if invalid.is_empty() {
            Ok(Self { fields: ApplicationFields { name, urls }, public_key })
        } else {
            Err(Problem::InvalidParams(invalid))
        }
    }
}

fn read_name(body: &Map<String, Value>, invalid: &mut Vec<InvalidParameter>) -> String {
    let name = body.get("name").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        let reason = format!("must be a text of 1 to {LONGEST_NAME} characters");
        invalid.push(InvalidParameter::new("name", reason));
    }
    name.to_owned()
}

/// An object in an object, if it is there; `place` is its name in full.
fn member<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    place: &str,
    invalid: &mut Vec<InvalidParameter>,
) -> Option<&'a Map<String, Value>> {
    match object.get(name)? {
        Value::Null => None,
        Value::Object(member) => Some(member),
        _ => {
            invalid.push(InvalidParameter::new(place, "must be an object"));
            None
        }
    }
}

fn read_key(keys: &Map<String, Value>, invalid: &mut Vec<InvalidParameter>) -> Option<PublicKey> {
    let text = keys.get("public_key").filter(|key| !key.is_null())?;
    let read = match text.as_str() {
        Some(text) => PublicKey::parse(text).map_err(|error| error.to_string()),
        None => Err("must be a text".to_owned()),
    };
    read.map_err(|reason| invalid.push(InvalidParameter::new("keys.public_key", reason))).ok()
}

/// One of no characters is none: dashboards send it.
fn read_url(
    webhooks: &Map<String, Value>,
    name: &str,
    invalid: &mut Vec<InvalidParameter>,
) -> Option<String> {
    let place = format!("{WEBHOOKS}.{name}");
    let webhook = member(webhooks, name, &place, invalid)?;
    let method = webhook.get("http_method").unwrap_or(&Value::Null);
    if !method.is_null() && method.as_str() != Some("POST") {
        invalid.push(InvalidParameter::new(format!("{place}.http_method"), "must be POST"));
    }
    let address = webhook.get("address").unwrap_or(&Value::Null);
    if address.is_null() || address.as_str() == Some("") {
        return None;
    }
    let read = parse_callback_url(address.as_str().unwrap_or_default());
    read.map_err(|reason| invalid.push(InvalidParameter::new(format!("{place}.address"), reason))).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<ApplicationInput, Vec<String>> {
        ApplicationInput::read(body.as_object().unwrap()).map_err(|problem| match problem {
            Problem::InvalidParams(invalid) => invalid.into_iter().map(|invalid| invalid.name).collect(),
            problem => panic!("{problem}"),
        })
    }

    #[test]
    fn webhooks_and_the_key_may_be_left_out() {
        for body in [
            json!({"name": " Parcel alerts ", "id": 7, "capabilities": {"voice": {"webhooks": 1}}}),
            json!({"name": "Parcel alerts", "keys": null, "capabilities": {"messages": null}}),
            json!({"name": "Parcel alerts", "keys": {}, "capabilities": {"messages": {"webhooks": {
                "status_url": {"address": "", "http_method": "POST"}, "inbound_url": null}}}}),
        ] {
            let input = read(&body).unwrap_or_else(|names| panic!("{names:?}"));
            assert_eq!(input.fields.name, "Parcel alerts");
            assert_eq!((input.fields.urls, input.public_key), (CallbackUrls::default(), None));
        }
        let input = read(&json!({"name": "x", "capabilities": {"messages": {"webhooks": {
            "inbound_url": {"address": "https://shop.example/in"},
            "status_url": {"address": "https://shop.example/st", "http_method": "POST"}}}}}));
        let urls = input.unwrap_or_else(|names| panic!("{names:?}")).fields.urls;
        assert_eq!(urls.inbound.as_deref(), Some("https://shop.example/in"));
        assert_eq!(urls.status.as_deref(), Some("https://shop.example/st"));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        for (body, names) in [
            (json!({}), &["name"][..]),
            (json!({"name": " "}), &["name"]),
            (json!({"name": 1, "keys": [], "capabilities": "x"}), &["name", "keys", "capabilities"]),
            (json!({"name": "x".repeat(256), "keys": {"public_key": "x"}}), &["name", "keys.public_key"]),
            (json!({"name": "x", "keys": {"public_key": 1}}), &["keys.public_key"]),
            (json!({"name": "x", "capabilities": {"messages": 1}}), &["capabilities.messages"]),
            (
                json!({"name": "x", "capabilities": {"messages": {"webhooks": {
                    "status_url": {"address": "shop.example", "http_method": "GET"}, "inbound_url": "x"}}}}),
                &[
                    "capabilities.messages.webhooks.status_url.http_method",
                    "capabilities.messages.webhooks.status_url.address",
                    "capabilities.messages.webhooks.inbound_url",
                ],
            ),
        ] {
            assert_eq!(read(&body).err().unwrap_or_default(), names, "{body}");
        }
    }
}
