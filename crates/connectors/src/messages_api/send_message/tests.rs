//! Recorded exchanges with the Messages API.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize as _;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

use super::{NotTaken, Sending, StatusError, send};
use crate::messages_api::config::{Auth, MessagesApi, MessagesApiSettings, SmsRoute, Version};
use crate::messages_api::outgoing_message::OutgoingMessage;
use crate::messages_api::read_timestamp::read_timestamp;
use crate::outbound::{AddressPolicy, OutboundClient};
use crate::recorded_server::{RecordedServer, Reply, closed_url, given_up, loopback_client};

const MESSAGE: Uuid = uuid!("f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2");
const TAKEN: &str = r#"{"message_uuid": "aaaaaaaa-1111-4222-8333-444444444444"}"#;

fn now() -> DateTime<Utc> {
    read_timestamp("2024-05-04T10:11:12.345Z").unwrap()
}

fn basic(base_url: String, version: Version) -> MessagesApi {
    let auth = Auth::Basic { api_key: "abcd1234".to_owned() };
    let (base_url, sms) = (Some(base_url), SmsRoute::MessagesApi);
    let settings = MessagesApiSettings { base_url, version, auth, sms, sms_sub_account_id: None };
    settings.resolve("s-1").unwrap()
}

fn jwt(base_url: String, version: Version) -> MessagesApi {
    let auth = Auth::Jwt { application_id: "3f0c1f5e-6a0e-4c55-9a53-0d7c9c0b1a11".to_owned() };
    let (base_url, sms) = (Some(base_url), SmsRoute::MessagesApi);
    let settings = MessagesApiSettings { base_url, version, auth, sms, sms_sub_account_id: None };
    settings.resolve(include_str!("../test_keys/rsa_pkcs8.pem")).unwrap()
}

fn message(step: &Value) -> OutgoingMessage {
    OutgoingMessage::deserialize(step).unwrap()
}

fn sms() -> Value {
    json!({
        "from": {"type": "sms", "number": "447700900001"},
        "to": {"type": "sms", "number": "447700900000"},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}},
        "failover": {"expiry_time": 600, "condition_status": "delivered"},
        "client_ref": "order-1",
    })
}

async fn outcome(reply: Reply) -> Sending {
    let server = RecordedServer::start(vec![reply]).await;
    let api = basic(server.url(""), Version::V1);
    send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await
}

async fn body_sent(version: Version, step: Value) -> Value {
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    let sent =
        send(&loopback_client(), &basic(server.url(""), version), &message(&step), MESSAGE, now()).await;
    let provider_uuid = "aaaaaaaa-1111-4222-8333-444444444444".to_owned();
    assert_eq!(sent, Sending::Accepted { provider_uuid });
    server.bodies().remove(0)
}

/// The step as v0.1 is sent it.
fn mirrored(mut step: Value) -> Value {
    step.as_object_mut().unwrap().remove("failover");
    step["client_ref"] = json!(MESSAGE);
    step
}

#[tokio::test]
async fn the_first_generation_is_posted_the_step_with_the_key_and_our_reference() {
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    let api = basic(server.url(""), Version::V0_1);
    let sent = send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await;
    let provider_uuid = "aaaaaaaa-1111-4222-8333-444444444444".to_owned();
    assert_eq!(sent, Sending::Accepted { provider_uuid });
    assert_eq!(
        server.requests(),
        ["POST /v0.1/messages HTTP/1.1\r\n\
          authorization: Basic YWJjZDEyMzQ6cy0x\r\n\
          content-type: application/json\r\n\
          accept: application/json\r\n\
          user-agent: automation\r\n\
          host: HOST\r\n\
          content-length: 210\r\n\r\n\
          {\"from\":{\"type\":\"sms\",\"number\":\"447700900001\"},\"to\":{\"type\":\"sms\",\"number\":\"447700900000\"},\
          \"message\":{\"content\":{\"type\":\"text\",\"text\":\"Your parcel is here\"}},\
          \"client_ref\":\"f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2\"}"]
    );
}

/// The claims of the token in a request, once ring has found its signature to be that of the key.
fn claims_of_token(request: &str) -> Value {
    let token = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let pem = include_str!("../test_keys/rsa_public.pem");
    let public: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let public = STANDARD.decode(public).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let part = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(part(header), json!({"typ": "JWT", "alg": "RS256"}));
    part(claims)
}

#[tokio::test]
async fn v1_is_posted_the_flat_form_with_a_token_of_the_application() {
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    let api = jwt(server.url("/api/"), Version::V1);
    for _ in 0..2 {
        let sent = send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await;
        assert!(matches!(sent, Sending::Accepted { .. }), "{sent:?}");
    }
    let requests = server.requests();
    let head = requests[0].split_once("authorization: Bearer ").unwrap().0;
    assert_eq!(head, "POST /api/v1/messages HTTP/1.1\r\n");
    let tail = requests[0].split_once("\r\ncontent-type").unwrap().1;
    assert_eq!(
        tail,
        ": application/json\r\n\
          accept: application/json\r\n\
          user-agent: automation\r\n\
          host: HOST\r\n\
          content-length: 162\r\n\r\n\
          {\"channel\":\"sms\",\"message_type\":\"text\",\"to\":\"447700900000\",\"from\":\"447700900001\",\
          \"text\":\"Your parcel is here\",\"client_ref\":\"f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2\"}"
    );
    let claims: Vec<Value> = requests.iter().map(|request| claims_of_token(request)).collect();
    let iat = now().timestamp();
    for claims in &claims {
        let jti = claims["jti"].as_str().unwrap();
        assert!(Uuid::parse_str(jti).is_ok());
        assert_eq!(
            claims,
            &json!({"application_id": "3f0c1f5e-6a0e-4c55-9a53-0d7c9c0b1a11", "iat": iat, "jti": jti,
                "exp": iat + 900})
        );
    }
    assert_ne!(claims[0]["jti"], claims[1]["jti"], "every request has a token of its own");
}

#[tokio::test]
async fn a_token_goes_with_the_first_generation_and_the_key_with_v1_as_well() {
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    for api in [jwt(server.url(""), Version::V0_1), basic(server.url(""), Version::V1)] {
        let sent = send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await;
        assert!(matches!(sent, Sending::Accepted { .. }), "{sent:?}");
    }
    let requests = server.requests();
    claims_of_token(&requests[0]);
    assert!(requests[0].starts_with("POST /v0.1/messages HTTP/1.1\r\nauthorization: Bearer "));
    assert!(
        requests[1].starts_with("POST /v1/messages HTTP/1.1\r\nauthorization: Basic YWJjZDEyMzQ6cy0x\r\n")
    );
}

#[tokio::test]
async fn n_013_text_reaches_the_provider_unchanged() {
    let text = "Grüße 😀 \u{202e}漢字 \"quoted\" \\ \u{0001} é e\u{301}";
    let mut step = sms();
    step["message"]["content"]["text"] = json!(text);
    assert_eq!(body_sent(Version::V0_1, step.clone()).await["message"]["content"]["text"], text);
    assert_eq!(body_sent(Version::V1, step.clone()).await["text"], text);
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    let api = basic(server.url(""), Version::V1);
    send(&loopback_client(), &api, &message(&step), MESSAGE, now()).await;
    assert!(server.requests()[0].contains("Grüße 😀 \u{202e}漢字"), "as it is, without escapes");
}

#[tokio::test]
async fn n_049_template_parameters_become_text() {
    for parameters in [
        json!(["Dana", "14:00"]),
        json!([{"default": "Dana"}, {"default": "14:00"}]),
        json!([{"default": "Dana"}, "14:00"]),
    ] {
        let template = |parameters: &Value| json!({"name": "acme_ns:parcel", "parameters": parameters});
        let step = json!({
            "from": {"type": "whatsapp", "number": "447700900001"},
            "to": {"type": "whatsapp", "number": "447700900000"},
            "message": {"content": {"type": "template", "template": template(&parameters)},
                "whatsapp": {"policy": "deterministic", "locale": "en-GB"}},
        });
        let normalised = template(&json!(["Dana", "14:00"]));
        let sent = body_sent(Version::V0_1, step.clone()).await;
        assert_eq!(sent["message"]["content"], json!({"type": "template", "template": normalised}));
        assert_eq!(
            body_sent(Version::V1, step).await,
            json!({"channel": "whatsapp", "message_type": "template", "to": "447700900000",
                "from": "447700900001", "template": normalised,
                "whatsapp": {"policy": "deterministic", "locale": "en-GB"}, "client_ref": MESSAGE})
        );
    }
}

#[tokio::test]
async fn a_parameter_that_is_a_number_is_written_out_and_a_strange_one_stays() {
    let mut step = sms();
    step["message"]["content"] = json!({"type": "template", "template": {"name": "n",
        "parameters": [7, {"default": 1.5}, {"other": 1}, null]}});
    let sent = body_sent(Version::V0_1, step).await;
    assert_eq!(sent["message"]["content"]["template"]["parameters"], json!(["7", "1.5", {"other": 1}, null]));
}

/// One step for every channel and kind of content.
fn steps() -> Vec<(Value, Value)> {
    let url = "https://a.example/1";
    let step = |from: Value, to: Value, message: Value| {
        let failover = json!({"expiry_time": 600, "condition_status": "read"});
        json!({"from": from, "to": to, "message": message, "failover": failover})
    };
    let number = |channel: &str, number: &str| json!({"type": channel, "number": number});
    let id = |channel: &str, id: &str| json!({"type": channel, "id": id});
    vec![
        (
            step(
                number("sms", "ACME"),
                number("sms", "447700900000"),
                json!({"content": {"type": "text", "text": "t"}}),
            ),
            json!({"channel": "sms", "message_type": "text", "to": "447700900000", "from": "ACME", "text": "t"}),
        ),
        (
            step(
                number("mms", "12345"),
                number("mms", "447700900000"),
                json!({"content": {"type": "image", "image": {"url": url, "caption": "c"}}}),
            ),
            json!({"channel": "mms", "message_type": "image", "to": "447700900000", "from": "12345",
                "image": {"url": url, "caption": "c"}}),
        ),
        (
            step(
                number("whatsapp", "447700900001"),
                number("whatsapp", "447700900000"),
                json!({"content": {"type": "audio", "audio": {"url": url}, "text": "left over"}}),
            ),
            json!({"channel": "whatsapp", "message_type": "audio", "to": "447700900000", "from": "447700900001",
                "audio": {"url": url}}),
        ),
        (
            step(
                number("whatsapp", "447700900001"),
                number("whatsapp", "447700900000"),
                json!({"content": {"type": "custom", "custom": {"type": "contacts", "contacts": [{"a": 1}]}},
                    "messenger": {"category": "response"}}),
            ),
            json!({"channel": "whatsapp", "message_type": "custom", "to": "447700900000", "from": "447700900001",
                "custom": {"type": "contacts", "contacts": [{"a": 1}]}}),
        ),
        (
            step(
                id("messenger", "1000000000000001"),
                id("messenger", "2000000000000002"),
                json!({"content": {"type": "video", "video": {"url": url}},
                    "messenger": {"category": "message_tag", "tag": "CONFIRMED_EVENT_UPDATE"}}),
            ),
            json!({"channel": "messenger", "message_type": "video", "to": "2000000000000002",
                "from": "1000000000000001", "video": {"url": url},
                "messenger": {"category": "message_tag", "tag": "CONFIRMED_EVENT_UPDATE"}}),
        ),
        (
            step(
                json!({"type": "messenger", "id": "1000000000000001", "number": "1"}),
                json!({"type": "messenger", "id": "2000000000000002", "number": "2"}),
                json!({"content": {"type": "file", "file": {"url": url}}}),
            ),
            json!({"channel": "messenger", "message_type": "file", "to": "2000000000000002",
                "from": "1000000000000001", "file": {"url": url}}),
        ),
    ]
}

#[tokio::test]
async fn n_079_the_first_generation_is_sent_the_step_without_failover_and_with_our_reference() {
    for (step, _) in steps().into_iter().chain([(viber(json!({"number": "447700900000"})), Value::Null)]) {
        assert_eq!(body_sent(Version::V0_1, step.clone()).await, mirrored(step));
    }
    assert_eq!(sms()["client_ref"], "order-1", "the customer's reference is not sent");
    assert_eq!(body_sent(Version::V0_1, sms()).await, mirrored(sms()));
}

fn viber(to: Value) -> Value {
    let mut to = to;
    to["type"] = json!("viber_service_msg");
    json!({
        "from": {"type": "viber_service_msg", "id": "0123456789"},
        "to": to,
        "message": {"content": {"type": "image", "image": {"url": "https://a.example/1.png"}},
            "viber_service_msg": {"category": "transaction", "ttl": 600}},
    })
}

#[tokio::test]
async fn n_080_v1_is_sent_the_flat_form_and_its_own_name_for_viber() {
    for (step, flat) in steps() {
        let mut flat = flat;
        flat["client_ref"] = json!(MESSAGE);
        assert_eq!(body_sent(Version::V1, step).await, flat);
    }
    for to in [json!({"number": "447700900000"}), json!({"id": "447700900000"})] {
        assert_eq!(
            body_sent(Version::V1, viber(to)).await,
            json!({"channel": "viber_service", "message_type": "image", "to": "447700900000", "from": "0123456789",
                "image": {"url": "https://a.example/1.png"},
                "viber_service": {"category": "transaction", "ttl": 600}, "client_ref": MESSAGE})
        );
    }
}

#[tokio::test]
async fn addresses_that_are_numbers_are_sent_as_text() {
    let step = json!({
        "from": {"type": "messenger", "id": 1_234_567_890_123_456_u64},
        "to": {"type": "messenger", "id": 12_345_678_901_234_567_u64},
        "message": {"content": {"type": "text", "text": "x"}},
    });
    let sent = body_sent(Version::V0_1, step.clone()).await;
    assert_eq!(sent["to"], json!({"type": "messenger", "id": "12345678901234567"}));
    let sent = body_sent(Version::V1, step).await;
    assert_eq!((&sent["to"], &sent["from"]), (&json!("12345678901234567"), &json!("1234567890123456")));
}

#[tokio::test]
async fn a_message_that_lacks_everything_is_for_the_provider_to_refuse() {
    let step = json!({"from": {}, "to": {}, "message": {}});
    let sent = body_sent(Version::V0_1, step.clone()).await;
    assert_eq!(sent, json!({"from": {}, "to": {}, "message": {}, "client_ref": MESSAGE}));
    assert_eq!(body_sent(Version::V1, step).await, json!({"channel": "", "client_ref": MESSAGE}));
}

fn refused(code: i64, alarm: bool) -> (StatusError, bool) {
    (StatusError::of(code), alarm)
}

#[tokio::test]
async fn errors_of_the_provider_become_codes_of_ours() {
    const A: &str = "https://developer.nexmo.com/api-errors";
    for (status, problem_type, expected) in [
        (
            "400 Bad Request",
            "https://www.nexmo.com/messages/Errors#InvalidParams".to_owned(),
            refused(1020, false),
        ),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1110"), refused(1020, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1150"), refused(1020, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1120"), refused(1120, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#110"), refused(1170, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1140"), refused(1140, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1100"), refused(1140, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1060"), refused(1330, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1000"), refused(1000, false)),
        ("422 Unprocessable Entity", format!("{A}/messages-olympus#1030"), refused(1030, false)),
        ("422 Unprocessable Entity", format!("{A}#invalid-json"), refused(1330, false)),
        ("404 Not Found", format!("{A}#not-found"), refused(1330, false)),
        ("404 Not Found", String::new(), refused(1330, false)),
        ("402 Payment Required", format!("{A}/#low-balance"), refused(1070, false)),
        ("400 Bad Request", format!("{A}#low-balance"), refused(1070, false)),
        ("401 Unauthorized", format!("{A}/#unathorized"), refused(1140, true)),
        ("401 Unauthorized", format!("{A}/#unprovisioned"), refused(1140, true)),
        ("403 Forbidden", format!("{A}#forbidden"), refused(1140, true)),
        ("403 Forbidden", format!("{A}/messages-olympus#1120"), refused(1140, true)),
        ("400 Bad Request", format!("{A}#Unprovisioned"), refused(1140, true)),
        ("302 Found", String::new(), refused(1330, true)),
        ("415 Unsupported Media Type", String::new(), refused(1330, false)),
    ] {
        let body = json!({"type": problem_type, "title": "t", "detail": "d", "instance": "i"}).to_string();
        match outcome(Reply::json(status, &body)).await {
            Sending::Refused { error, alarm, .. } => {
                assert_eq!((error, alarm), expected, "{status} {problem_type}");
            }
            other => panic!("{status} {problem_type}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_provider_s_words() {
    let problem = json!({
        "type": "https://www.nexmo.com/messages/Errors#InvalidParams",
        "title": "Your request parameters didn't validate.",
        "detail": "Found errors validating 1 of your submitted parameters.",
        "instance": "5b0f3c1d9e7a4286b1c4d2e6f8a90357",
        "invalid_parameters": [{"name": "to.number", "reason": "must not start with +"}],
    });
    let mut single = problem.clone();
    single["invalid_parameters"] = json!({"name": "to.number", "reason": "must not start with +"});
    for problem in [problem, single] {
        let Sending::Refused { detail, .. } =
            outcome(Reply::json("400 Bad Request", &problem.to_string())).await
        else {
            panic!("it is refused")
        };
        assert_eq!(
            detail,
            "The Messages API answered HTTP 400 Bad Request: Your request parameters didn't validate: \
             Found errors validating 1 of your submitted parameters: to.number must not start with +: \
             trace id 5b0f3c1d9e7a4286b1c4d2e6f8a90357."
        );
    }
    let silent = outcome(Reply::json("404 Not Found", "<html>")).await;
    let detail = "The Messages API answered HTTP 404 Not Found.".to_owned();
    assert_eq!(silent, Sending::Refused { error: StatusError::of(1330), alarm: false, detail });
}

#[tokio::test]
async fn n_081_too_many_requests_is_no_refusal_and_says_when_to_ask_again() {
    let server = RecordedServer::start(vec![
        Reply::with_headers("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        Reply::json("202 Accepted", TAKEN),
    ])
    .await;
    let api = basic(server.url(""), Version::V0_1);
    let first = send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await;
    let detail = "The Messages API answered HTTP 429 Too Many Requests.".to_owned();
    let after = Some(Duration::from_secs(1));
    assert_eq!(first, Sending::Retry { why: NotTaken::Throttled, after, detail });
    assert_eq!(NotTaken::Throttled.given_up(), StatusError::of(1000));
    let second = send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await;
    assert!(matches!(second, Sending::Accepted { .. }), "{second:?}");
    let bodies = server.bodies();
    assert_eq!(bodies[0], bodies[1], "the same message under the same reference");
}

#[tokio::test]
async fn a_date_to_ask_again_is_counted_from_now() {
    let header = "Retry-After: Sat, 04 May 2024 10:11:22 GMT\r\n";
    let Sending::Retry { after, .. } =
        outcome(Reply::with_headers("429 Too Many Requests", header, "")).await
    else {
        panic!("it is to be tried again")
    };
    assert_eq!(after, Some(Duration::from_millis(9_655)));
}

#[tokio::test]
async fn a_fault_of_the_provider_is_tried_again() {
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"] {
        match outcome(Reply::with_headers(status, "", "<html>")).await {
            Sending::Retry { why, after, .. } => {
                assert_eq!((why, after), (NotTaken::ProviderError, None));
                assert_eq!(why.given_up(), StatusError::of(1331));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
    let busy = Reply::with_headers("503 Service Unavailable", "Retry-After: 2\r\n", "");
    let Sending::Retry { after, .. } = outcome(busy).await else { panic!("it is to be tried again") };
    assert_eq!(after, Some(Duration::from_secs(2)));
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let api = basic(closed_url(), Version::V0_1);
    match send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await {
        Sending::Retry { why: NotTaken::NoConnection, after: None, detail } => {
            assert!(detail.starts_with("Call failed. "), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(NotTaken::NoConnection.given_up(), StatusError::of(1100));
}

#[tokio::test]
async fn a_request_that_was_written_and_not_answered_is_unknown() {
    for reply in [Reply::Close, Reply::WriteAndClose(b"HTTP/1.1 202 Acc".to_vec())] {
        let sent = outcome(reply).await;
        assert!(matches!(sent, Sending::Unknown { .. }), "{sent:?}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_given_up_before_the_shortest_expiry() {
    let server = RecordedServer::start(vec![Reply::Hang]).await;
    let (client, api, message) = (loopback_client(), basic(server.url(""), Version::V0_1), message(&sms()));
    let sent = given_up(&server, send(&client, &api, &message, MESSAGE, now())).await;
    let url = server.url("/v0.1/messages");
    let detail = format!("Call failed. No response within 12 seconds: POST {url}");
    assert_eq!(sent, Sending::Unknown { detail });
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_success_that_names_no_message_is_unknown() {
    for body in ["", "{}", "[]", "<html>", r#"{"message_uuid": null}"#, r#"{"message_uuid": " "}"#] {
        let sent = outcome(Reply::json("202 Accepted", body)).await;
        assert!(matches!(sent, Sending::Unknown { .. }), "{body}: {sent:?}");
    }
    let huge = outcome(Reply::json("202 Accepted", &" ".repeat(1024 * 1024 + 1))).await;
    assert!(matches!(huge, Sending::Unknown { .. }), "{huge:?}");
    let ok = outcome(Reply::json("200 OK", TAKEN)).await;
    assert!(matches!(ok, Sending::Accepted { .. }), "{ok:?}");
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_for_the_operator() {
    let client = OutboundClient::new(AddressPolicy::default());
    let api = basic("http://127.0.0.1:1".to_owned(), Version::V0_1);
    match send(&client, &api, &message(&sms()), MESSAGE, now()).await {
        Sending::Refused { error, alarm, .. } => assert_eq!((error, alarm), refused(1100, true)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_for_the_operator_and_nothing_is_sent() {
    let server = RecordedServer::start(vec![Reply::json("202 Accepted", TAKEN)]).await;
    let auth = Auth::Jwt { application_id: "app-1".to_owned() };
    let settings = MessagesApiSettings {
        base_url: Some(server.url("")),
        version: Version::V1,
        auth,
        sms: SmsRoute::MessagesApi,
        sms_sub_account_id: None,
    };
    let api = settings.resolve(include_str!("../test_keys/rsa_wrong_exponent.pem")).unwrap();
    match send(&loopback_client(), &api, &message(&sms()), MESSAGE, now()).await {
        Sending::Refused { error, alarm, detail } => {
            assert_eq!((error, alarm), refused(1140, true));
            assert!(detail.contains("its RSA key is damaged"), "{detail}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_is_logged_of_a_message_is_its_channel() {
    assert_eq!(format!("{:?}", message(&sms())), "OutgoingMessage { channel: \"sms\", .. }");
}
