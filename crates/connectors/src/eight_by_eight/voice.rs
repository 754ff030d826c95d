//! Calls somebody and says, plays or asks (spec 3.5.8 and 8.4).
//!
//! ```text
//! inputs ── read_call ──▶ Call ──┬─ callflow ─────▶ POST …/callflows   the current generation
//!                                └─ single_call ──▶ POST …/calls       the first one
//! answer ── read_answer ──▶ PlacedCall, or why the step fails
//! ```
//!
//! The step is done when the call is accepted, not when it ends: key presses come in later and find
//! their way by the ids of the [`PlacedCall`].

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::config::{EightByEight, VoiceApi};
use super::product::Product;
use super::sub_account::sub_account_url;
use crate::outbound::OutboundClient;
use crate::post_json::post_json;
use crate::send_failure::SendFailure;

mod callflow;
mod read_answer;
mod read_call;
mod single_call;

use callflow::callflow;
use read_answer::{objects_to_client_request_id, read_answer};
use read_call::{Action, CLIENT_REQUEST_ID, DTMF_CALLBACK_URL, read_call};
use single_call::single_call;

/// What a call needs besides its inputs.
#[derive(Clone, Copy)]
pub struct Placing<'a> {
    /// `data.subAccountId` of the instance: the subaccount of a step that names none.
    pub subaccount_fallback: Option<&'a str>,
    /// The same for every attempt of one step execution.
    pub key: Uuid,
    /// Where the first generation of the API reports key presses, unless the author says otherwise.
    /// Its token is a secret.
    pub dtmf_callback_url: Option<&'a str>,
    pub now: DateTime<Utc>,
}

impl fmt::Debug for Placing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placing")
            .field("subaccount_fallback", &self.subaccount_fallback)
            .field("key", &self.key)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Whether the first generation of the API would have to be told where key presses go.
pub fn wants_dtmf_callback(inputs: &Map<String, Value>, subaccount_fallback: Option<&str>) -> bool {
    read_call(inputs, subaccount_fallback)
        .is_ok_and(|call| call.action == Action::Capture && !call.params.contains_key(DTMF_CALLBACK_URL))
}

/// A call that the platform has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedCall {
    /// `step.response`: the platform's answer and what older workflows expect in it (spec 8.4.4).
    pub response: Value,
    /// The platform's id of the call; `uid` to workflows.
    pub session_id: String,
    /// The one that was called from.
    pub sub_account_id: String,
    /// As the author gave it.
    pub client_request_id: Option<String>,
    pub destination: Option<String>,
}

/// Places the call that the evaluated inputs of a `VoiceMessage` step describe.
///
/// Retried is only what certainly made no call, see [`SendFailure`]. Whether values are valid is
/// the platform's decision.
pub async fn send_voice_message(
    client: &OutboundClient,
    config: &EightByEight,
    inputs: &Map<String, Value>,
    call: Placing<'_>,
) -> Result<PlacedCall, SendFailure> {
    let placed = read_call(inputs, call.subaccount_fallback)?;
    let (mut body, resource) = match config.voice_api {
        VoiceApi::Callflows => (callflow(&placed), "callflows"),
        VoiceApi::Calls => (single_call(&placed, call.dtmf_callback_url), "calls"),
    };
    let url = sub_account_url(config, Product::Voice, &placed.sub_account_id, resource);
    let authorization = config.authorization();
    let unanswered = |error| SendFailure::unanswered(&error, &url);
    let mut response =
        post_json(client, &url, Some(&authorization), &body, call.key).await.map_err(unanswered)?;
    // It is honoured without being documented, so it is the first thing to do without.
    if objects_to_client_request_id(&response)
        && body.as_object_mut().is_some_and(|body| body.shift_remove(CLIENT_REQUEST_ID).is_some())
    {
        let key = key_of_second_request(call.key);
        response = post_json(client, &url, Some(&authorization), &body, key).await.map_err(unanswered)?;
    }
    read_answer(&response, placed, config.voice_api, call.now)
}

/// One key stands for one body: under the first key the platform may give its refusal again, or
/// refuse the key. Derived, so that the next attempt of the same step asks under the same two.
fn key_of_second_request(key: Uuid) -> Uuid {
    let digest = Sha256::new().chain_update(key).chain_update(b"without clientRequestId").finalize();
    let (bytes, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    uuid::Builder::from_custom_bytes(*bytes).into_uuid()
}

#[cfg(test)]
mod tests;
