//! Something became of a message: the entry is updated and the status delivered.

use serde_json::{Map, Value, json};
use trunkline_connectors::messages_api::{MessageStatus, StatusError};
use trunkline_workflow::dispatch::Price;
use uuid::Uuid;

use super::statuses_that_follow::{Told, usual_error};
use super::tell_status::tell_status;
use crate::sandbox::carrier::Sandbox;
use crate::sandbox::refusal::{Invalid, Refusal};
use crate::sandbox::request_body::{INVALID_PARAMETER, required_text, text};

/// `{state, errorCode?, errorMessage?, price?}`, the errors of `rejected` and `undeliverable` only.
pub(in crate::sandbox) async fn report(
    sandbox: &Sandbox,
    umid: Uuid,
    request: &Map<String, Value>,
) -> Result<Value, Refusal> {
    let told = read_status(request).map_err(|invalid| invalid.at(sandbox.now()))?;
    let webhook_status = tell_status(sandbox, umid, &told).await?;
    Ok(json!({"umid": umid, "webhookStatus": webhook_status}))
}

fn read_status(request: &Map<String, Value>) -> Result<Told, Invalid> {
    let status = MessageStatus::parse(required_text(request, "state")?).ok_or_else(|| invalid("state"))?;
    let code = match request.get("errorCode") {
        None | Some(Value::Null) => None,
        Some(code) => Some(code.as_i64().ok_or_else(|| invalid("errorCode"))?),
    };
    let reason = text(request, "errorMessage")?;
    let error = match usual_error(status) {
        None if code.is_some() => return Err(invalid("errorCode")),
        None if reason.is_some() => return Err(invalid("errorMessage")),
        None => None,
        Some(usual) => {
            let StatusError { code, reason: named } = code.map_or(usual, StatusError::of);
            Some(StatusError { code, reason: reason.map_or(named, str::to_owned) })
        }
    };
    Ok(Told { status, error, price: read_price(request)? })
}

/// A text or a number, of euros.
pub(super) fn read_price(request: &Map<String, Value>) -> Result<Option<String>, Invalid> {
    let price = match request.get("price") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => None,
    };
    let is_price = |text: &String| text.parse::<Price>().is_ok_and(|price| !price.is_sign_negative());
    price.filter(is_price).map(Some).ok_or_else(|| invalid("price"))
}

fn invalid(name: &str) -> Invalid {
    Invalid::new(INVALID_PARAMETER, format!("Invalid {name}."))
}
