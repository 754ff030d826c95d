//! A call as a worker orders it, after it was found to be in order.

use serde_json::{Map, Value};
use trunkline_connectors::eight_by_eight::VoiceApi;

use super::action::Action;
use super::params::{Params, bad_entry};
use crate::sandbox::refusal::Invalid;
use crate::sandbox::request_body::is_phone_number;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) api: VoiceApi,
    pub(super) source: String,
    pub(super) destination: String,
    pub(super) client_request_id: Option<String>,
    /// As the request spells its first action after `makeCall`; empty without one.
    pub(super) action: String,
    pub(super) actions: Vec<Action>,
    /// The first API only.
    pub(super) dtmf_callback_url: Option<String>,
    /// What the sandbox leaves out.
    pub(super) notes: Vec<String>,
}

/// `callflow`, with at least one entry.
pub(super) fn read_entries(request: &Map<String, Value>) -> Result<&[Value], Invalid> {
    match request.get("callflow") {
        None | Some(Value::Null) => Err(bad_entry("$.callflow", "is missing but it is required")),
        Some(Value::Array(entries)) if entries.is_empty() => {
            Err(bad_entry("$.callflow", "there must be a minimum of 1 items in the array"))
        }
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) => Err(bad_entry("$.callflow", "is not an array")),
    }
}

pub(super) fn read_client_request_id(request: &Map<String, Value>) -> Result<Option<String>, Invalid> {
    match request.get("clientRequestId") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.clone())),
        Some(_) => Err(bad_entry("$.clientRequestId", "is not a string")),
    }
}

/// `source` and `destination`, a number each.
pub(super) fn read_numbers(params: &Params<'_>) -> Result<(String, String), Invalid> {
    let source = params.required_text("source")?;
    if !is_phone_number(source, false) {
        return Err(Invalid::new(-1014, "Caller id is not allowed"));
    }
    let several = match params.get("destination") {
        Some(Value::Array(_)) => true,
        Some(Value::String(text)) => text.contains([',', ';']),
        _ => false,
    };
    if several {
        return Err(Invalid::new(-1011, "Only one destination number is allowed"));
    }
    let destination = params.required_text("destination")?;
    if !is_phone_number(destination, false) {
        return Err(bad_destination());
    }
    Ok((source.to_owned(), destination.to_owned()))
}

pub(super) fn bad_destination() -> Invalid {
    Invalid::new(-1017, "Invalid destination MSISDN")
}
