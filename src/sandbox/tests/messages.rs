//! The messaging connector hands messages in.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trunkline_connectors::eight_by_eight::SendFailure;
use uuid::Uuid;

use super::{Carrier, NOON, sms_to};

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
            "sentAt": NOON,
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
        assert_eq!(error["timestamp"], NOON);
        assert!(Uuid::parse_str(error["errorId"].as_str().unwrap()).is_ok());
        assert_eq!(error.as_object().unwrap().len(), 4);
    }
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
async fn what_became_of_a_message_can_be_asked() {
    let carrier = Carrier::start(StatusCode::OK).await;
    let umid = carrier.sms(sms_to("+6590001111"), Uuid::from_u128(7)).await.unwrap()["umid"].clone();
    let sms = "/sandbox/8x8/sms/api/v1/subaccounts/acme_sms/messages";
    let umid = umid.as_str().unwrap();
    let mut message = json!({"umid": umid, "subAccountId": "acme_sms",
        "clientMessageId": Uuid::from_u128(7).to_string(), "source": "ACME", "destination": "+6590001111",
        "status": {"state": "queued", "timestamp": NOON}});
    assert_eq!(carrier.get(&format!("{sms}/{umid}")).await, (200, message.clone()));
    carrier
        .post(&format!("/sandbox/outbox/{umid}/status"), json!({"state": "undelivered", "errorCode": 15}))
        .await;
    message["status"] = json!({"state": "undelivered", "errorCode": 15, "timestamp": NOON});
    assert_eq!(carrier.get(&format!("{sms}/{umid}")).await, (200, message));

    let chat = json!({"subAccountId": "acme_chat", "user": {"msisdn": "+6590001111"}, "type": "text",
        "content": {"text": "x"}});
    let chat = carrier.chat(chat, Uuid::from_u128(8)).await.unwrap()["umid"].clone();
    let path = "/sandbox/8x8/chatapps/api/v1/subaccounts/acme_chat/messages";
    let (_, message) = carrier.get(&format!("{path}/{}", chat.as_str().unwrap())).await;
    assert_eq!(message["user"], json!({"msisdn": "+6590001111"}));
    assert_eq!((&message["channel"], &message["status"]["state"]), (&json!("whatsapp"), &json!("queued")));

    let elsewhere = "/sandbox/8x8/sms/api/v1/subaccounts/other_sms/messages";
    let nil = Uuid::nil().to_string();
    for (path, id) in [(path, umid), (elsewhere, umid), (sms, nil.as_str()), (sms, "x")] {
        let (status, error) = carrier.get(&format!("{path}/{id}")).await;
        assert_eq!(
            (status, &error["code"], &error["message"]),
            (404, &json!(1300), &json!("Message not found."))
        );
    }
    let response = carrier.call("GET", &format!("{sms}/{umid}"), &[], "").await;
    assert_eq!(response.status, 401);
}
