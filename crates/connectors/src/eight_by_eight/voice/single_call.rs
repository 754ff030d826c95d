//! The request of the first generation, on which the step was designed: one action with everything
//! in its parameters (spec 8.4.5).

use serde_json::{Map, Value, json};

use super::read_call::{Action, CLIENT_REQUEST_ID, Call, DTMF_CALLBACK_URL};

/// `dtmf_callback_url` is where key presses go when the author named no place for them.
pub(super) fn single_call(call: &Call, dtmf_callback_url: Option<&str>) -> Value {
    let mut params = call.params.clone();
    let action = match call.action {
        Action::Say => "say",
        Action::PlayFile => "playFile",
        Action::Capture => {
            if let Some(url) = dtmf_callback_url {
                params.entry(DTMF_CALLBACK_URL).or_insert(json!(url));
            }
            "say&capture"
        }
    };
    let mut body = Map::new();
    if let Some(id) = &call.client_request_id {
        body.insert(CLIENT_REQUEST_ID.to_owned(), json!(id));
    }
    body.insert("callflow".to_owned(), json!([{"action": action, "params": params}]));
    Value::Object(body)
}
