//! What the inputs of a `VoiceMessage` step ask for, whichever generation of the API is spoken.

use serde_json::{Map, Value};

use crate::eight_by_eight::request_fields::{
    leave_out_blank, spelled_as, write_as_boolean, write_as_number, write_as_text,
};
use crate::eight_by_eight::sub_account::{SUB_ACCOUNT_ID, take_sub_account};
use crate::send_failure::SendFailure;

pub(super) const CLIENT_REQUEST_ID: &str = "clientRequestId";
pub(super) const VALID_UNTIL: &str = "validUntil";
pub(super) const DTMF_CALLBACK_URL: &str = "dtmfCallbackUrl";

/// Text, each of them.
const REQUIRED_TEXT: [&str; 6] =
    ["source", "destination", "text", "promptMessage", "voiceProfile", "fileUrl"];
const OPTIONAL_TEXT: [&str; 5] =
    ["language", "endMessage", "successMessage", "failureMessage", DTMF_CALLBACK_URL];
const NUMBERS: [&str; 7] =
    ["repetition", "speed", "minDigits", "maxDigits", "digitTimeout", "overallTimeout", "noOfTries"];
const BOOLEANS: [&str; 1] = ["completeOnHash"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Say,
    /// Says and waits for keys to be pressed.
    Capture,
    PlayFile,
}

impl Action {
    fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "say" => Some(Self::Say),
            "say&capture" | "sayandcapture" => Some(Self::Capture),
            "playfile" => Some(Self::PlayFile),
            _ => None,
        }
    }
}

/// A call to be placed.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) sub_account_id: String,
    pub(super) client_request_id: Option<String>,
    pub(super) valid_until: Option<Value>,
    pub(super) action: Action,
    /// In the platform's spelling and types; members that are not known stay as they were given.
    pub(super) params: Map<String, Value>,
}

impl Call {
    pub(super) fn destination(&self) -> Option<&str> {
        self.params.get("destination").and_then(Value::as_str)
    }
}

pub(super) fn read_call(
    inputs: &Map<String, Value>,
    sub_account_fallback: Option<&str>,
) -> Result<Call, SendFailure> {
    let known = [SUB_ACCOUNT_ID, CLIENT_REQUEST_ID, VALID_UNTIL, "action", "params"];
    let mut fields = spelled_as(&known, inputs);
    write_as_text(&mut fields, &[CLIENT_REQUEST_ID]);
    leave_out_blank(&mut fields, &[CLIENT_REQUEST_ID, VALID_UNTIL, "action"]);
    let sub_account_id = take_sub_account(&mut fields, sub_account_fallback)?;
    let action = match fields.get("action") {
        None => Action::Say,
        Some(action) => action.as_str().and_then(Action::parse).ok_or_else(|| unknown_action(action))?,
    };
    let params = fields.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok(Call {
        sub_account_id,
        client_request_id: fields.get(CLIENT_REQUEST_ID).and_then(Value::as_str).map(str::to_owned),
        valid_until: fields.shift_remove(VALID_UNTIL),
        action,
        params: typed(&params),
    })
}

fn typed(params: &Map<String, Value>) -> Map<String, Value> {
    let known: Vec<&str> =
        REQUIRED_TEXT.into_iter().chain(OPTIONAL_TEXT).chain(NUMBERS).chain(BOOLEANS).collect();
    let mut params = spelled_as(&known, params);
    for optional in [&OPTIONAL_TEXT[..], &NUMBERS, &BOOLEANS] {
        leave_out_blank(&mut params, optional);
    }
    write_as_text(&mut params, &REQUIRED_TEXT);
    write_as_text(&mut params, &OPTIONAL_TEXT);
    write_as_number(&mut params, &NUMBERS);
    write_as_boolean(&mut params, &BOOLEANS);
    params
}

fn unknown_action(action: &Value) -> SendFailure {
    /// Longer than every action; what an expression makes may be of any length.
    const SHOWN: usize = 40;
    let written = action.as_str().map_or_else(|| action.to_string(), str::to_owned);
    let shown: String = written.chars().take(SHOWN).collect();
    SendFailure::failed(format!(
        "Failed to send voice message because `{shown}` is not an action. Use `say`, `say&capture` or `playFile`."
    ))
}
