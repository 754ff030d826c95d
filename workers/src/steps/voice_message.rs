//! `VoiceMessage` (spec 3.5.8): done when the provider has taken the call, not when the call ends.

use serde_json::{Map, json};
use trunkline_connectors::correlation::dtmf_key;
use trunkline_connectors::eight_by_eight::VoiceApi;
use trunkline_connectors::eight_by_eight::voice::{
    PlacedCall, Placing, send_voice_message, wants_dtmf_callback,
};
use trunkline_store::clock;
use trunkline_store::messages::{Sent, SentCall, VOICE};
use trunkline_store::webhook_settings::dtmf_token;
use trunkline_workflow::inputs;
use trunkline_workflow::limits::Channel;

use super::{Activity, Input, not_sent, text};
use crate::measure::Provider;

pub(super) async fn execute(input: Input<'_>) -> Activity {
    let members = input.members();
    let subaccount = input.subaccount(&members);
    let provider = match input.eight_by_eight(subaccount.as_deref()).await {
        Ok(provider) => provider,
        Err(activity) => return activity,
    };
    let wants_callback =
        provider.voice_api == VoiceApi::Calls && wants_dtmf_callback(&members, subaccount.as_deref());
    let dtmf_callback_url = if wants_callback {
        match dtmf_callback_url(&input).await {
            Ok(url) => url,
            Err(activity) => return activity,
        }
    } else {
        None
    };
    let placing = Placing {
        subaccount_fallback: subaccount.as_deref(),
        key: input.key(),
        dtmf_callback_url: dtmf_callback_url.as_deref(),
        now: clock::now(),
    };
    let params = inputs::get(&members, "params").and_then(|params| params.as_object().cloned());
    let of_params = |name| text(params.as_ref().unwrap_or(&Map::new()), name);
    let senders = [subaccount.clone(), of_params("source")];
    if let Err(activity) = input.leave_to_send(Channel::Voice, senders, of_params("destination")).await {
        return activity;
    }
    if let Err(activity) = input.begin_effect().await {
        return activity;
    }
    match send_voice_message(&input.client(Provider::EightByEight), &provider, &members, placing).await {
        Ok(call) => {
            let sent = Some(sent_call(&call));
            Activity::Sent { result: json!({ "response": call.response }), sent }
        }
        Err(failure) => not_sent(failure),
    }
}

/// Where the key presses of a call go that names no address of its own (spec 8.4.5).
async fn dtmf_callback_url(input: &Input<'_>) -> Result<Option<String>, Activity> {
    let Some(base) = &input.tools.rules.public_url else { return Ok(None) };
    let account = &input.job.account;
    let Some(secret) = input.webhook_secret().await? else { return Ok(None) };
    let token = dtmf_token(&secret);
    input.keep_secret(&secret);
    input.keep_secret(&token);
    Ok(Some(format!("{}/webhooks/v1/accounts/{account}/dtmf?token={token}", base.trim_end_matches('/'))))
}

fn sent_call(call: &PlacedCall) -> Sent {
    Sent {
        id: call.session_id.to_lowercase(),
        channel: Some(VOICE.to_owned()),
        state: "created".to_owned(),
        rank: 1,
        call: Some(SentCall {
            key: dtmf_key(&call.session_id),
            client_key: call.client_request_id.as_deref().map(dtmf_key),
            client_request_id: call.client_request_id.clone(),
            destination: call.destination.clone(),
        }),
        reported: None,
    }
}
