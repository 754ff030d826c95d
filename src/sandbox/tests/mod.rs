//! The sandbox over HTTP: the connector hands messages and calls in, a recorded webhook takes events.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::{
    EightByEight, PlacedCall, Placing, SendFailure, VoiceApi, send_chat_apps_message, send_sms,
    send_voice_message,
};
use trunkline_connectors::messages_api::{
    self, Auth, MessagesApiSettings, OutgoingMessage, Sending, SmsRoute, Version,
};
use trunkline_connectors::outbound::{
    AddressPolicy, OutboundClient, OutboundRequest, OutboundResponse, parse_network,
};
use uuid::Uuid;

use super::{Sandbox, SandboxConfig, router};

mod calls;
mod calls_of_the_first_api;
mod messages;
mod messages_api_statuses;
mod messages_api_submissions;
mod messages_api_users;
mod placing;
mod webhooks;

struct Carrier {
    url: String,
    webhook_url: String,
    http: OutboundClient,
    webhook: Arc<Webhook>,
}

/// What the server would take, and what it answers.
#[derive(Default)]
struct Webhook {
    deliveries: Mutex<Vec<Delivery>>,
    /// For `ACTION_COMPLETED`, in turn; after them it is to hang up.
    callflows: Mutex<VecDeque<Value>>,
}

#[derive(Clone)]
struct Delivery {
    uri: Uri,
    headers: HeaderMap,
    body: Value,
}

fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(12)
}

const NOON: &str = "1970-01-01T12:00:00.00Z";

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

impl Webhook {
    fn take(&self, uri: Uri, headers: HeaderMap, body: &str) -> Value {
        let body: Value = serde_json::from_str(body).unwrap();
        let wants_answer = body["eventType"] == "CALL_ACTION";
        self.deliveries.lock().unwrap().push(Delivery { uri, headers, body });
        if !wants_answer {
            return json!({});
        }
        let answer = self.callflows.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| json!({"callflow": [{"action": "hangup"}]}))
    }
}

impl Delivery {
    /// The body that came in at the webhook of this name, with the server's secret.
    fn at(&self, name: &str) -> Value {
        assert_eq!(self.uri.path(), format!("/hooks/acme/{name}"));
        assert_eq!(self.headers["authorization"], "Basic c2VjcmV0");
        assert_eq!(self.headers["content-type"], "application/json");
        self.body.clone()
    }
}

impl Carrier {
    /// With webhooks that answer everything with this status.
    async fn start(webhook_status: StatusCode) -> Self {
        let webhook = Arc::new(Webhook::default());
        let recorder = Arc::clone(&webhook);
        let answer = move |uri: Uri, headers: HeaderMap, body: String| async move {
            (webhook_status, Json(recorder.take(uri, headers, &body))).into_response()
        };
        let server = serve(Router::new().fallback(answer)).await;
        Self::delivering_to(&server, webhook).await
    }

    async fn delivering_to(server: &str, webhook: Arc<Webhook>) -> Self {
        let sandbox = Sandbox::new(SandboxConfig {
            webhook_url: format!("{server}/hooks/acme/messages"),
            webhook_authorization: Some("Basic c2VjcmV0".to_owned()),
            account: "acme".to_owned(),
            sms_sub_account: "acme_sms".to_owned(),
            chat_sub_account: "acme_chat".to_owned(),
            callback_policy: AddressPolicy {
                allow_private: false,
                allowed: vec![parse_network("127.0.0.1").unwrap()],
            },
            clock: noon,
        });
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { url: serve(router(sandbox)).await, webhook_url: server.to_owned(), http, webhook }
    }

    async fn unreachable_server() -> Self {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::delivering_to(&format!("http://{closed}"), Arc::default()).await
    }

    fn platform(&self, voice_api: VoiceApi) -> EightByEight {
        EightByEight {
            sms_url: format!("{}/sandbox/8x8/sms", self.url),
            chat_apps_url: format!("{}/sandbox/8x8/chatapps", self.url),
            voice_url: format!("{}/sandbox/8x8/voice", self.url),
            voice_api,
            api_key: "any".to_owned(),
        }
    }

    async fn sms(&self, inputs: Value, key: Uuid) -> Result<Value, SendFailure> {
        let platform = self.platform(VoiceApi::Callflows);
        send_sms(&self.http, &platform, inputs.as_object().unwrap(), key).await
    }

    async fn chat(&self, inputs: Value, key: Uuid) -> Result<Value, SendFailure> {
        let platform = self.platform(VoiceApi::Callflows);
        send_chat_apps_message(&self.http, &platform, inputs.as_object().unwrap(), key).await
    }

    /// By the connector of the Messages API, under this reference.
    async fn send(&self, version: Version, message: Value, client_ref: Uuid) -> Sending {
        let settings = MessagesApiSettings {
            base_url: Some(format!("{}/sandbox/nexmo", self.url)),
            version,
            auth: Auth::Basic { api_key: "any".to_owned() },
            sms: SmsRoute::MessagesApi,
            sms_sub_account_id: None,
        };
        let message: OutgoingMessage = serde_json::from_value(message).unwrap();
        messages_api::send(&self.http, &settings.resolve("any").unwrap(), &message, client_ref, noon()).await
    }

    /// The id that it was accepted under.
    async fn accepts(&self, version: Version, message: Value, client_ref: Uuid) -> String {
        match self.send(version, message, client_ref).await {
            Sending::Accepted { provider_uuid } => provider_uuid,
            refused => panic!("{refused:?}"),
        }
    }

    async fn place(&self, api: VoiceApi, inputs: Value, key: Uuid) -> Result<PlacedCall, SendFailure> {
        let callback = format!("{}/hooks/acme/dtmf?token=a%2Bb", self.webhook_url);
        let placing = Placing {
            subaccount_fallback: Some("acme_voice"),
            key,
            dtmf_callback_url: Some(&callback),
            now: noon(),
        };
        send_voice_message(&self.http, &self.platform(api), inputs.as_object().unwrap(), placing).await
    }

    /// Its uid.
    async fn ring(&self, api: VoiceApi, inputs: Value) -> String {
        self.place(api, inputs, Uuid::new_v4()).await.unwrap().session_id
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> OutboundResponse {
        let request = OutboundRequest {
            method: method.to_owned(),
            url: format!("{}{path}", self.url),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: (method == "POST").then(|| body.as_bytes().to_vec()),
            timeout: Duration::from_secs(20),
            follow_redirects: false,
        };
        self.http.send(request).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.call("POST", path, &[], &body.to_string()).await;
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.call("GET", path, &[("Authorization", "Bearer k")], "").await;
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    async fn outbox(&self, query: &str) -> Vec<Value> {
        let (_, outbox) = self.get(&format!("/sandbox/outbox{query}")).await;
        outbox.as_array().unwrap().clone()
    }

    /// What the person does with a call, and what the sandbox says to it.
    async fn step(&self, uid: &str, step: &str) -> (u16, Value) {
        self.post(&format!("/sandbox/calls/{uid}/{step}"), json!({})).await
    }

    async fn press(&self, uid: &str, digits: Value) -> (u16, Value) {
        self.post(&format!("/sandbox/calls/{uid}/dtmf"), json!({"digits": digits})).await
    }

    /// What the server was told, once it is so much.
    async fn told(&self, count: usize) -> Vec<Delivery> {
        let begun = Instant::now();
        while self.webhook.deliveries.lock().unwrap().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server is not told {count} things");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = self.deliveries();
        assert_eq!(told.len(), count);
        told
    }

    /// What the server was told so far; told twice it is not.
    fn deliveries(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.webhook.deliveries.lock().unwrap())
    }

    /// The only webhook so far.
    fn webhook(&self) -> Value {
        let [delivery] = &self.deliveries()[..] else { panic!("not one webhook") };
        delivery.at("messages")
    }
}

fn sms_to(destination: &str) -> Value {
    json!({"subAccountId": "acme_sms", "destination": destination, "text": "Hello", "source": "ACME"})
}

/// On a channel of the Messages API, as v0.1 writes it.
fn text_on(channel: &str, to: &str) -> Value {
    let (ours, users) = match channel {
        "messenger" => ("id", "id"),
        "viber_service_msg" => ("id", "number"),
        _ => ("number", "number"),
    };
    json!({"from": {"type": channel, ours: "447700900001"}, "to": {"type": channel, users: to},
        "message": {"content": {"type": "text", "text": "Hello"}}})
}

fn say_to(destination: &str) -> Value {
    json!({"clientRequestId": "c-1", "action": "say", "params": {"source": "+6568000000",
        "destination": destination, "text": "Hello", "voiceProfile": "en-US-ZiraRUS"}})
}

/// Asks for one digit unless `params` say otherwise.
fn ask(params: &Value) -> Value {
    let mut inputs = json!({"clientRequestId": "c-1", "action": "say&capture", "params": {
        "source": "+6568000000", "destination": "+6590001111", "text": "Press 1 or 2",
        "voiceProfile": "en-US-ZiraRUS", "maxDigits": 1}});
    for (name, value) in params.as_object().unwrap() {
        inputs["params"][name] = value.clone();
    }
    inputs
}
