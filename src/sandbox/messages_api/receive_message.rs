//! A user writes: the webhook of an incoming message (Workflows API 10) is built and delivered.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Map, Value, json};
use trunkline_connectors::messages_api::Version;
use trunkline_workflow::dispatch::Channel;
use uuid::Uuid;

use super::flat_message::{address_member, channel_from_v1, channel_in_v1};
use super::report_status::read_price;
use super::tell_status::{timestamp, usage};
use crate::sandbox::call_webhook::call_webhook_of;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::refusal::{Invalid, Refusal};
use crate::sandbox::request_body::{INVALID_PARAMETER, json_object, required_text, text};
use crate::sandbox::sms_encoding::parts_of;

/// Next to the one of the other platform's messages.
const WEBHOOK: &str = "inbound-message";

/// What is written to unless the request says so.
const OUR_NUMBER: &str = "6580002222";
const OUR_ID: &str = "1000000000000001";

/// `{channel, from, text or content, to?, version?, price?}`; `content` as v0.1 writes it, `version` is `v0.1`
/// unless it is `v1`.
pub(in crate::sandbox) async fn receive(
    State(sandbox): State<Sandbox>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let umid = Uuid::new_v4();
    let event = json_object(&body)
        .and_then(|request| Written::read(&request))
        .map(|written| written.event(umid, &sandbox))
        .map_err(|invalid| invalid.at(sandbox.now()))?;
    let webhook_status = call_webhook_of(&sandbox, WEBHOOK, &event).await?;
    Ok(Json(json!({"umid": umid, "webhookStatus": webhook_status})))
}

/// What a user wrote, to whom.
struct Written {
    version: Version,
    /// In v0.1's words.
    channel: &'static str,
    from: String,
    to: String,
    content: Value,
    price: Option<String>,
}

fn invalid(name: &str) -> Invalid {
    Invalid::new(INVALID_PARAMETER, format!("Invalid {name}."))
}

impl Written {
    fn read(request: &Map<String, Value>) -> Result<Self, Invalid> {
        let channel = required_text(request, "channel")?;
        let channel = Channel::parse(channel).map(Channel::as_str).or_else(|| channel_from_v1(channel));
        let channel = channel.ok_or_else(|| invalid("channel"))?;
        let version = text(request, "version")?.map_or(Some(Version::V0_1), Version::parse);
        let ours = if address_member(channel, true) == "id" { OUR_ID } else { OUR_NUMBER };
        Ok(Self {
            version: version.ok_or_else(|| invalid("version"))?,
            channel,
            from: address(required_text(request, "from")?, address_member(channel, false)),
            to: address(text(request, "to")?.unwrap_or(ours), address_member(channel, true)),
            content: read_content(request)?,
            price: read_price(request)?,
        })
    }

    fn event(self, umid: Uuid, sandbox: &Sandbox) -> Value {
        let Self { version, channel, from, to, content, price } = self;
        let parts = content["text"].as_str().filter(|_| channel == "sms").map(parts_of);
        let mut event = json!({"message_uuid": umid, "timestamp": timestamp(sandbox.now())});
        match version {
            Version::V0_1 => {
                event["to"] = json!({"type": channel, address_member(channel, true): to});
                event["from"] = json!({"type": channel, address_member(channel, false): from});
                event["message"] = json!({"content": content});
                if let Some(parts) = parts {
                    event["message"]["sms"] = json!({"num_messages": parts.to_string()});
                }
            }
            Version::V1 => {
                let kind = content["type"].as_str().unwrap_or_default();
                event["channel"] = json!(channel_in_v1(channel));
                event["to"] = json!(to);
                event["from"] = json!(from);
                event["message_type"] = json!(kind);
                if let Some(payload) = content.get(kind) {
                    event[kind] = payload.clone();
                }
                if let Some(parts) = parts {
                    event["sms"] = json!({"num_messages": parts.to_string()});
                }
            }
        }
        if let Some(price) = price {
            event["usage"] = usage(&price);
        }
        event
    }
}

/// Numbers go without the plus sign here.
fn address(typed: &str, member: &str) -> String {
    let typed = typed.trim();
    let bare = if member == "number" { typed.strip_prefix('+').unwrap_or(typed) } else { typed };
    bare.to_owned()
}

/// A content of some type with its payload. `unsupported` is one without.
fn read_content(request: &Map<String, Value>) -> Result<Value, Invalid> {
    let content = match request.get("content") {
        None | Some(Value::Null) => {
            let text = text(request, "text")?.ok_or_else(|| invalid("text"))?;
            return Ok(json!({"type": "text", "text": text}));
        }
        Some(content) => content,
    };
    let kind = content["type"].as_str().unwrap_or_default();
    let is_whole = kind == "unsupported" || !kind.is_empty() && content.get(kind).is_some();
    if is_whole { Ok(content.clone()) } else { Err(invalid("content")) }
}
