//! Recorded exchanges with both generations of the voice API.

use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{PlacedCall, Placing, send_voice_message};
use crate::eight_by_eight::wire::read_timestamp;
use crate::eight_by_eight::{EightByEightSettings as Settings, SendFailure, VoiceApi};
use crate::recorded_server::{RecordedServer, Reply, loopback_client};

mod callflows;
mod calls;
mod failures;

const KEY: Uuid = uuid!("7f1b2c3d-0000-4d5e-8f90-a1b2c3d4e5f6");
const CREATED: &str = r#"{"sessionId": "d9874358-0000-4c50-8bab-1eb634482a94", "sessionStatus": "CREATED",
 "callFlowRequestId": "89b545a5-0000-41ee-8100-d500c0d203fc", "statusCode": 1, "statusMessage": "Created"}"#;
const QUEUED: &str = r#"{"uid": "3C0E9B52-11D2-11F1-9A44-0B7C5D1E2F30",
 "status": {"code": "QUEUED", "description": "Call is queued"}, "destination": "6590001111"}"#;
const OUR_CALLBACK: &str = "https://automation.example.com/webhooks/v1/accounts/acme/dtmf?token=t";

async fn place_at(url: String, voice_api: VoiceApi, inputs: Value) -> Result<PlacedCall, SendFailure> {
    let config =
        Settings { voice_url: Some(url), voice_api, ..Settings::default() }.resolve("k-1".to_owned());
    let placing = Placing {
        subaccount_fallback: Some("acme_fallback"),
        key: KEY,
        dtmf_callback_url: Some(OUR_CALLBACK),
        now: read_timestamp("2026-02-03T04:09:30.5Z").unwrap(),
    };
    send_voice_message(&loopback_client(), &config, inputs.as_object().unwrap(), placing).await
}

async fn place(server: &RecordedServer, inputs: Value) -> Result<PlacedCall, SendFailure> {
    place_at(server.url(""), VoiceApi::Callflows, inputs).await
}

/// The body of the one request that such inputs make.
async fn body_sent(voice_api: VoiceApi, inputs: Value) -> Value {
    let answer = match voice_api {
        VoiceApi::Callflows => CREATED,
        VoiceApi::Calls => QUEUED,
    };
    let server = RecordedServer::start(vec![Reply::json("200 OK", answer)]).await;
    place_at(server.url(""), voice_api, inputs).await.unwrap();
    let mut bodies = server.bodies();
    assert_eq!(bodies.len(), 1);
    bodies.remove(0)
}

#[test]
fn the_token_of_a_callback_is_not_in_the_debug_output() {
    let now = read_timestamp("2026-02-03T04:09:30.5Z").unwrap();
    let placing = Placing { subaccount_fallback: None, key: KEY, dtmf_callback_url: Some(OUR_CALLBACK), now };
    assert!(!format!("{placing:?}").contains("token"));
}

fn say() -> Value {
    json!({"subAccountId": "acme_voice", "action": "say", "params": {"source": "+6568000000",
        "destination": "+6590001111", "text": "Hello", "voiceProfile": "en-US-ZiraRUS"}})
}
