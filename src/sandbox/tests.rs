//! The sandbox over HTTP: the messaging connector hands messages in, a recorded webhook takes
//! events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::inbound::{Inbound, parse};
use trunkline_connectors::eight_by_eight::{MessagingConfig, SendFailure, send_chat_apps_message, send_sms};
use trunkline_connectors::outbound::{AddressPolicy, OutboundClient, OutboundRequest, OutboundResponse};
use uuid::Uuid;

use super::{Sandbox, SandboxConfig, router};

type Deliveries = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

struct Carrier {
    url: String,
    http: OutboundClient,
    webhooks: Deliveries,
}

fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(12)
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

impl Carrier {
    /// With a webhook that answers everything with this status.
    async fn start(webhook_status: StatusCode) -> Self {
        let webhooks = Deliveries::default();
        let recorded = Arc::clone(&webhooks);
        let webhook = post(move |headers: HeaderMap, body: String| async move {
            recorded.lock().unwrap().push((headers, serde_json::from_str(&body).unwrap()));
            webhook_status
        });
        let webhook_url = serve(Router::new().route("/hook", webhook)).await + "/hook";
        Self::delivering_to(webhook_url, webhooks).await
    }

    async fn delivering_to(webhook_url: String, webhooks: Deliveries) -> Self {
        let sandbox = Sandbox::new(SandboxConfig {
            webhook_url,
            webhook_authorization: Some("Basic c2VjcmV0".to_owned()),
            account: "acme".to_owned(),
            sms_sub_account: "acme_sms".to_owned(),
            chat_sub_account: "acme_chat".to_owned(),
            clock: noon,
        });
        let http = OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() });
        Self { url: serve(router(sandbox)).await, http, webhooks }
    }

    fn messaging(&self) -> MessagingConfig {
        MessagingConfig {
            sms_url: format!("{}/sandbox/8x8/sms", self.url),
            chat_apps_url: format!("{}/sandbox/8x8/chatapps", self.url),
            api_key: "any".to_owned(),
        }
    }

    async fn sms(&self, inputs: Value, key: Uuid) -> Result<Value, SendFailure> {
        send_sms(&self.http, &self.messaging(), inputs.as_object().unwrap(), key).await
    }

    async fn chat(&self, inputs: Value, key: Uuid) -> Result<Value, SendFailure> {
        send_chat_apps_message(&self.http, &self.messaging(), inputs.as_object().unwrap(), key).await
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

    async fn outbox(&self, query: &str) -> Vec<Value> {
        let response = self.call("GET", &format!("/sandbox/outbox{query}"), &[], "").await;
        serde_json::from_slice(&response.body).unwrap()
    }

    /// The only webhook so far.
    fn webhook(&self) -> Value {
        let webhooks = self.webhooks.lock().unwrap();
        assert_eq!(webhooks.len(), 1);
        assert_eq!(webhooks[0].0["authorization"], "Basic c2VjcmV0");
        assert_eq!(webhooks[0].0["content-type"], "application/json");
        webhooks[0].1.clone()
    }
}

fn sms_to(destination: &str) -> Value {
    json!({"subAccountId": "acme_sms", "destination": destination, "text": "Hello", "source": "ACME"})
}

#[tokio::test]
async fn an_sms_of_the_connector_lands_in_the_outbox() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let key = Uuid::from_u128(7);
    let outputs = carrier.sms(sms_to("+6590001111"), key).await.unwrap();
    assert_eq!(outputs["status"], "QUEUED");
    assert_eq!(outputs["encoding"], "GSM7");
    assert_eq!(outputs["destination"], "6590001111");
    assert_eq!(outputs["clientMessageId"], key.to_string());
    assert_eq!(
        carrier.outbox("").await,
        [json!({
            "umid": outputs["umid"],
            "product": "sms",
            "channel": "sms",
            "subAccountId": "acme_sms",
            "destination": "+6590001111",
            "body": "Hello",
            "content": {"text": "Hello"},
            "request": {"destination": "+6590001111", "text": "Hello", "source": "ACME",
                "clientMessageId": key.to_string()},
            "idempotencyKey": key.to_string(),
            "clientMessageId": key.to_string(),
            "status": "queued",
            "sentAt": "1970-01-01T12:00:00.00Z",
            "attempts": 1,
            "deliveries": 1,
        })]
    );
}

#[tokio::test]
async fn a_chat_apps_message_of_the_connector_lands_in_the_outbox() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let inputs = json!({"subAccountId": "acme_chat", "user": {"msisdn": "SG.9"}, "type": "text",
        "content": {"text": "Pick 1 or 2"}, "clientMessageId": "mine"});
    let outputs = carrier.chat(inputs, Uuid::from_u128(7)).await.unwrap();
    assert_eq!((&outputs["status"], &outputs["clientMessageId"]), (&json!("queued"), &json!("mine")));
    let outbox = carrier.outbox("").await;
    assert_eq!(outbox[0]["channel"], "whatsapp");
    assert_eq!(outbox[0]["destination"], "SG.9");
    assert_eq!(outbox[0]["body"], "Pick 1 or 2");
    assert_eq!(outbox[0]["content"], json!({"text": "Pick 1 or 2"}));
}

#[tokio::test]
async fn a_repeated_request_makes_no_second_message() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let key = Uuid::from_u128(7);
    let first = carrier.sms(sms_to("+6590001111"), key).await.unwrap();
    assert_eq!(carrier.sms(sms_to("+6590001111"), key).await.unwrap(), first);
    let outbox = carrier.outbox("").await;
    assert_eq!(outbox.len(), 1);
    assert_eq!((&outbox[0]["deliveries"], &outbox[0]["attempts"]), (&json!(2), &json!(2)));

    let mut elsewhere = sms_to("+6590001111");
    elsewhere["subAccountId"] = json!("other_sms");
    assert_ne!(carrier.sms(elsewhere, key).await.unwrap()["umid"], first["umid"]);
    assert_eq!(carrier.outbox("").await.len(), 2, "keys are per subaccount");
}

#[tokio::test]
async fn a_client_message_id_tells_repetitions_only_where_there_is_no_key() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let mut inputs = sms_to("+6590001111");
    inputs["clientMessageId"] = json!("mine");
    let path = "/sandbox/8x8/sms/api/v1/subaccounts/acme_sms/messages";
    let mut umids = Vec::new();
    for _ in 0..2 {
        let response =
            carrier.call("POST", path, &[("Authorization", "Bearer k")], &inputs.to_string()).await;
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        umids.push(answer["umid"].clone());
    }
    assert_eq!(umids[0], umids[1]);
    for key in [1, 2] {
        carrier.sms(inputs.clone(), Uuid::from_u128(key)).await.unwrap();
    }
    assert_eq!(carrier.outbox("").await.len(), 3);
}

#[tokio::test]
async fn the_outbox_is_newest_first_filtered_and_cleared() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (key, destination) in [(1, "+6590001111"), (2, "6590002222"), (3, "+6590001111")] {
        carrier.sms(sms_to(destination), Uuid::from_u128(key)).await.unwrap();
    }
    let chat = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
        "content": {"text": "x"}, "channels": [{"channel": "Viber"}]});
    carrier.chat(chat, Uuid::from_u128(4)).await.unwrap();
    for (query, keys) in [
        ("", vec![4, 3, 2, 1]),
        ("?destination=6590001111", vec![4, 3, 1]),
        ("?destination=%2B6590002222", vec![2]),
        ("?destination=+6590002222", vec![2]),
        ("?channel=VIBER", vec![4]),
        ("?channel=sms&destination=6590001111&limit=1", vec![3]),
        ("?destination=6590003333", vec![]),
    ] {
        let outbox = carrier.outbox(query).await;
        let found: Vec<_> =
            outbox.iter().map(|message| message["idempotencyKey"].as_str().unwrap()).collect();
        let expected: Vec<_> = keys.into_iter().map(|key| Uuid::from_u128(key).to_string()).collect();
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(carrier.call("DELETE", "/sandbox/outbox", &[], "").await.status, 204);
    assert_eq!(carrier.outbox("").await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_destination_provokes_failures() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (destination, because) in [
        ("+6590000400", "Invalid MSISDN format (not E.164 international number)"),
        ("+6590000500", "Internal server error"),
    ] {
        let failure = carrier.sms(sms_to(destination), Uuid::new_v4()).await.unwrap_err();
        let SendFailure::Failed { message } = failure else { panic!("{failure:?}") };
        assert!(
            message.starts_with(&format!("Failed to send SMS because {because}. Error id: ")),
            "{message}"
        );
    }
    assert_eq!(carrier.outbox("").await, Vec::<Value>::new());

    let key = Uuid::new_v4();
    let failure = carrier.sms(sms_to("+6590000429"), key).await.unwrap_err();
    let SendFailure::Retry { after, message } = failure else { panic!("{failure:?}") };
    assert_eq!(after, Some(Duration::from_secs(1)));
    assert!(message.contains("Quota exceeded. Please try again in 1 second(s)."), "{message}");
    carrier.sms(sms_to("+6590000429"), key).await.unwrap();
    let outbox = carrier.outbox("").await;
    assert_eq!((&outbox[0]["attempts"], &outbox[0]["deliveries"]), (&json!(2), &json!(1)));

    let outputs = carrier.sms(sms_to("+6590000999"), Uuid::new_v4()).await.unwrap();
    assert_eq!(outputs["status"], "REJECTED");
    assert_eq!(carrier.outbox("").await[0]["status"], "rejected");
    let chat = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590000999"}, "type": "text",
        "content": {"text": "x"}});
    assert_eq!(carrier.chat(chat, Uuid::new_v4()).await.unwrap()["status"], "rejected");
}

#[tokio::test]
async fn mistakes_are_answered_with_the_platforms_error_object() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let path = "/sandbox/8x8/sms/api/v1/subaccounts/acme_sms/messages";
    let chat = "/sandbox/8x8/chatapps/api/v1/subaccounts/acme_chat/messages";
    let key = [("Authorization", "Bearer k")];
    for (path, headers, body, status, code) in [
        (path, &[][..], "{}", 401, 1200),
        (path, &[("Authorization", "Bearer ")], "{}", 401, 1200),
        (path, &[("Authorization", "Basic k")], "{}", 401, 1200),
        (path, &key, "{", 400, 1000),
        (path, &key, "[]", 400, 1000),
        (path, &key, "{}", 400, 1002),
        (path, &key, "{\"destination\":\"+6590001111\"}", 400, 1004),
        ("/sandbox/8x8/sms/api/v1/subaccounts/a%20b/messages", &key, "{}", 400, 1001),
        (chat, &[], "{}", 401, 1200),
        (chat, &key, "{}", 400, 3001),
    ] {
        let response = carrier.call("POST", path, headers, body).await;
        let error: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &error["code"]), (status, &json!(code)), "{path} {body}");
        assert_eq!(error["timestamp"], "1970-01-01T12:00:00.00Z");
        assert!(Uuid::parse_str(error["errorId"].as_str().unwrap()).is_ok());
        assert_eq!(error.as_object().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a_user_s_sms_reaches_the_webhook() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let request = json!({"from": "+6590001111", "to": "+6580003333", "text": "STOP"});
    let (status, answer) = carrier.post("/sandbox/sms", request).await;
    assert_eq!((status, &answer["webhookStatus"]), (200, &json!(200)));
    let event = carrier.webhook();
    assert_eq!(
        event,
        json!({"namespace": "SMS", "eventType": "inbound_message_received", "description": "SMS inbound message",
            "payload": {"umid": answer["umid"], "subAccountId": "acme_sms", "timestamp": "1970-01-01T12:00:00.00Z",
                "source": "+6590001111", "destination": "+6580003333", "body": "STOP", "encoding": "GSM7",
                "smsCount": 1}})
    );
    assert!(matches!(parse(&event), Ok(Inbound::Message(_))));
}

#[tokio::test]
async fn a_user_s_chat_message_reaches_the_webhook() {
    for (request, version, channel, user, content) in [
        (
            json!({"from": "+65 9000 1111", "text": "menu", "name": "Mei"}),
            json!(null),
            "whatsapp",
            json!({"msisdn": "+6590001111", "channelUserId": "6590001111", "name": "Mei"}),
            json!({"text": "menu"}),
        ),
        (
            json!({"from": "SG.9", "msisdn": "+6590001111", "text": "1", "channel": "whatsapp"}),
            json!(3),
            "whatsapp",
            json!({"msisdn": "+6590001111", "channelUserId": "SG.9"}),
            json!({"text": "1"}),
        ),
        (
            json!({"from": "U4af", "channel": "line", "type": "Image", "content": {"url": "https://a.example/x"}}),
            json!(3),
            "line",
            json!({"channelUserId": "U4af"}),
            json!({"url": "https://a.example/x"}),
        ),
    ] {
        let carrier = Carrier::start(StatusCode::OK).await;
        let (_, answer) = carrier.post("/sandbox/chat", request.clone()).await;
        let event = carrier.webhook();
        assert_eq!(event["version"], version);
        assert_eq!(event["namespace"], "ChatApps");
        assert_eq!(event["payload"]["umid"], answer["umid"]);
        assert_eq!(event["payload"]["subAccountId"], "acme_chat");
        assert_eq!(event["payload"]["recipient"]["channel"], channel);
        assert_eq!(event["payload"]["user"], user);
        assert_eq!(event["payload"]["content"], content);
        assert_eq!(event["payload"]["type"], *request.get("type").unwrap_or(&json!("Text")));
        let Ok(Inbound::Message(message)) = parse(&event) else { panic!("{event}") };
        assert_eq!(message.channel, channel);
    }
}

#[tokio::test]
async fn a_receipt_reaches_the_webhook_and_updates_the_entry() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let umid = carrier.sms(sms_to("+6590001111"), Uuid::from_u128(7)).await.unwrap()["umid"].clone();
    let path = format!("/sandbox/outbox/{}/status", umid.as_str().unwrap());
    let report = json!({"state": "Undelivered", "detail": "rejected_by_operator", "errorCode": 15});
    assert_eq!(carrier.post(&path, report).await, (200, json!({"umid": umid, "webhookStatus": 200})));
    assert_eq!(carrier.outbox("").await[0]["status"], "undelivered");
    let event = carrier.webhook();
    assert_eq!(
        event["payload"],
        json!({"umid": umid, "clientMessageId": Uuid::from_u128(7).to_string(), "subAccountId": "acme_sms",
            "source": "ACME", "destination": "+6590001111",
            "status": {"state": "undelivered", "detail": "rejected_by_operator", "errorCode": 15,
                "timestamp": "1970-01-01T12:00:00.00Z"},
            "smsCount": 1})
    );
    let Ok(Inbound::Receipt(receipt)) = parse(&event) else { panic!("{event}") };
    assert_eq!((receipt.state.as_str(), receipt.error_code), ("undelivered", Some(15)));
}

#[tokio::test]
async fn a_chat_apps_receipt_names_channel_and_user() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let chat = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
        "content": {"text": "x"}});
    let umid = carrier.chat(chat, Uuid::from_u128(7)).await.unwrap()["umid"].clone();
    let path = format!("/sandbox/outbox/{}/status", umid.as_str().unwrap());
    carrier.post(&path, json!({"state": "read"})).await;
    let event = carrier.webhook();
    assert_eq!(event["namespace"], "ChatApps");
    assert_eq!(event["payload"]["channel"], "whatsapp");
    assert_eq!(event["payload"]["user"], json!({"msisdn": "+6590001111"}));
    assert!(matches!(parse(&event), Ok(Inbound::Receipt(_))));
}

#[tokio::test]
async fn what_the_webhook_answered_is_reported() {
    let refusing = Carrier::start(StatusCode::UNAUTHORIZED).await;
    let (status, answer) = refusing.post("/sandbox/sms", json!({"from": "+6590001111", "text": "x"})).await;
    assert_eq!((status, &answer["webhookStatus"]), (200, &json!(401)));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = Carrier::delivering_to(format!("http://{closed}/hook"), Deliveries::default()).await;
    let (status, answer) =
        unreachable.post("/sandbox/sms", json!({"from": "+6590001111", "text": "x"})).await;
    assert_eq!((status, &answer["code"]), (502, &json!(2000)));
    assert_eq!(answer["message"], format!("Call failed. Connection refused: POST http://{closed}/hook"));
}

#[tokio::test]
async fn requests_of_the_phone_are_checked_too() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let unknown = format!("/sandbox/outbox/{}/status", Uuid::from_u128(1));
    for (path, body, status, code) in [
        ("/sandbox/sms", json!({"text": "x"}), 400, 1000),
        ("/sandbox/sms", json!({"from": "+6590001111"}), 400, 1004),
        ("/sandbox/sms", json!([]), 400, 1000),
        ("/sandbox/chat", json!({"text": "x"}), 400, 1000),
        ("/sandbox/chat", json!({"from": "+6590001111"}), 400, 3005),
        ("/sandbox/chat", json!({"from": "+6590001111", "content": "x"}), 400, 3004),
        ("/sandbox/outbox/x/status", json!({"state": "read"}), 400, 1000),
        (unknown.as_str(), json!({"state": "read"}), 404, 1300),
        (unknown.as_str(), json!({"state": "eaten"}), 400, 1000),
        (unknown.as_str(), json!({"state": "read", "errorCode": "x"}), 400, 1000),
    ] {
        let (answered, error) = carrier.post(path, body.clone()).await;
        assert_eq!((answered, &error["code"]), (status, &json!(code)), "{path} {body}");
    }
    assert!(carrier.webhooks.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused() {
    let carrier = Carrier::start(StatusCode::OK).await;
    for (query, message) in [
        ("limit=abc", "Invalid limit."),
        ("limit=-1", "Invalid limit."),
        ("limit=", "Invalid limit."),
        ("limit=1&limit=2", "Invalid query."),
        ("channel=sms&channel=sms", "Invalid query."),
    ] {
        let response = carrier.call("GET", &format!("/sandbox/outbox?{query}"), &[], "").await;
        let error: Value = serde_json::from_slice(&response.body).unwrap();
        let answered = (response.status, &error["code"], &error["message"]);
        assert_eq!(answered, (400, &json!(1000), &json!(message)), "{query}");
        assert!(error["errorId"].is_string() && error["timestamp"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn the_sandbox_describes_itself_without_secrets() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let response = carrier.call("GET", "/sandbox", &[], "").await;
    let text = String::from_utf8(response.body).unwrap();
    assert!(text.contains("\"account\":\"acme\"") && !text.contains("c2VjcmV0"), "{text}");
}
