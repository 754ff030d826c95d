//! The current generation (spec 8.4.1, 8.4.2 and 8.4.4).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{CREATED, KEY, body_sent, place, say};
use crate::eight_by_eight::{SendFailure, VoiceApi};
use crate::recorded_server::{RecordedServer, Reply};

async fn flow(action: &str, params: Value) -> Value {
    let inputs = json!({"subAccountId": "acme_voice", "action": action, "params": params});
    body_sent(VoiceApi::Callflows, inputs).await
}

#[tokio::test]
async fn a_call_is_posted_with_the_key_and_answers_as_older_generations_did() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", CREATED)]).await;
    let inputs = json!({
        "subAccountId": "acme_voice",
        "clientRequestId": "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77",
        "action": "say&capture",
        "params": {"source": "+6568000000", "destination": "+6590001111",
            "text": "Press 1 to confirm, 2 to cancel", "voiceProfile": "en-US-ZiraRUS", "repetition": 1,
            "speed": 1, "minDigits": 1, "maxDigits": 1, "digitTimeout": 4000, "overallTimeout": 8000,
            "completeOnHash": false, "noOfTries": 2, "endMessage": "Thank you"},
    });
    let call = place(&server, inputs).await.unwrap();
    let [request] = server.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        head,
        format!(
            "POST /api/v1/subaccounts/acme_voice/callflows HTTP/1.1\r\n\
             authorization: Bearer k-1\r\n\
             content-type: application/json\r\n\
             accept: application/json\r\n\
             idempotency-key: 7f1b2c3d-0000-4d5e-8f90-a1b2c3d4e5f6\r\n\
             user-agent: automation\r\n\
             host: HOST\r\n\
             content-length: {}",
            body.len()
        )
    );
    assert_eq!(
        body,
        "{\"clientRequestId\":\"0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77\",\"callflow\":[\
         {\"action\":\"makeCall\",\"params\":{\"source\":\"+6568000000\",\"destination\":\"+6590001111\"}},\
         {\"action\":\"sayAndCapture\",\"params\":{\"promptMessage\":\"Press 1 to confirm, 2 to cancel\",\
         \"voiceProfile\":\"en-US-ZiraRUS\",\"speed\":1,\"minDigits\":1,\"maxDigits\":1,\"digitTimeout\":4000,\
         \"overallTimeout\":8000,\"completeOnHash\":false,\"noOfTries\":2,\"successMessage\":\"Thank you\"}}]}"
    );
    assert_eq!(
        call.response,
        json!({
            "sessionId": "d9874358-0000-4c50-8bab-1eb634482a94",
            "sessionStatus": "CREATED",
            "callFlowRequestId": "89b545a5-0000-41ee-8100-d500c0d203fc",
            "statusCode": 1,
            "statusMessage": "Created",
            "clientRequestId": "0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77",
            "uid": "d9874358-0000-4c50-8bab-1eb634482a94",
            "destination": "+6590001111",
            "status": {"code": "CREATED", "description": "Created", "timestamp": "2026-02-03T04:09:30.50Z"},
        })
    );
    assert_eq!(call.session_id, "d9874358-0000-4c50-8bab-1eb634482a94");
    assert_eq!(call.sub_account_id, "acme_voice");
    assert_eq!(call.client_request_id.as_deref(), Some("0e6a7c1c-7f6f-4d2a-8a06-5b2f1f6d9c77"));
    assert_eq!(call.destination.as_deref(), Some("+6590001111"));
}

#[tokio::test]
async fn c_167_each_action_makes_its_callflow_and_only_a_capture_does_not_hang_up() {
    let ends = json!({"source": "+6568000000", "destination": "+6590001111"});
    let make_call = json!({"action": "makeCall", "params": ends});
    let hang_up = json!({"action": "hangup"});
    let params = |own: Value| {
        let mut params = ends.clone();
        params.as_object_mut().unwrap().append(&mut own.as_object().unwrap().clone());
        params
    };

    let says = json!({"text": "Hello", "voiceProfile": "en-US-ZiraRUS", "language": "en-US", "repetition": 2,
        "speed": 0.5});
    assert_eq!(
        flow("say", params(says.clone())).await,
        json!({"callflow": [make_call, {"action": "say", "params": says}, hang_up]})
    );

    let plays = json!({"fileUrl": "https://a.example/x.mp3", "repetition": 3});
    assert_eq!(
        flow("playFile", params(plays.clone())).await,
        json!({"callflow": [make_call, {"action": "playFile", "params": plays}, hang_up]})
    );

    for name in ["say&capture", "sayAndCapture", "SAY&CAPTURE", "SayAndCapture"] {
        let asks = json!({"text": "1 or 2?", "voiceProfile": "en-US-ZiraRUS", "failureMessage": "Bye"});
        assert_eq!(
            flow(name, params(asks)).await,
            json!({"callflow": [make_call, {"action": "sayAndCapture", "params": {"promptMessage": "1 or 2?",
                "voiceProfile": "en-US-ZiraRUS", "maxDigits": 1, "overallTimeout": 5000, "noOfTries": 1,
                "failureMessage": "Bye"}}]})
        );
    }
}

#[tokio::test]
async fn an_action_that_is_not_given_is_say_and_an_unknown_one_faults_before_any_call() {
    for action in [json!(null), json!(""), json!("SAY")] {
        let mut inputs = say();
        inputs["action"] = action;
        assert_eq!(body_sent(VoiceApi::Callflows, inputs).await["callflow"][1]["action"], "say");
    }
    let server = RecordedServer::start(vec![Reply::json("200 OK", CREATED)]).await;
    for (action, shown) in [(json!("sing"), "sing"), (json!(7), "7")] {
        let mut inputs = say();
        inputs["action"] = action;
        assert_eq!(
            place(&server, inputs).await.unwrap_err().to_string(),
            format!(
                "Failed to send voice message because `{shown}` is not an action. \
                 Use `say`, `say&capture` or `playFile`."
            )
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn values_get_the_type_that_the_platform_wants() {
    let body = flow(
        "say&capture",
        json!({"Source": 6_568_000_000_u64, "DESTINATION": 6_590_001_111.0, "Text": 7, "voiceprofile": "v",
            "speed": "1.5", "minDigits": "2", "maxDigits": " 4 ", "digitTimeout": "1000",
            "overallTimeout": 9000.0, "completeOnHash": "True", "noOfTries": "", "endMessage": "",
            "failureMessage": false, "dtmfCallbackUrl": "https://a.example/"}),
    );
    assert_eq!(
        body.await,
        json!({"callflow": [
            {"action": "makeCall", "params": {"source": "6568000000", "destination": "6590001111"}},
            {"action": "sayAndCapture", "params": {"promptMessage": "7", "voiceProfile": "v", "speed": 1.5,
                "minDigits": 2, "maxDigits": 4, "digitTimeout": 1000, "overallTimeout": 9000,
                "completeOnHash": true, "noOfTries": 1, "failureMessage": "false"}},
        ]})
    );
}

#[tokio::test]
async fn what_cannot_be_converted_is_for_the_platform_to_judge() {
    let body = flow("say", json!({"source": null, "text": {"a": 1}, "repetition": "twice"})).await;
    assert_eq!(
        body["callflow"],
        json!([{"action": "makeCall", "params": {}},
            {"action": "say", "params": {"text": {"a": 1}, "repetition": "twice"}}, {"action": "hangup"}])
    );
    let body = flow("say", json!("Hello")).await;
    assert_eq!(body["callflow"][1], json!({"action": "say", "params": {}}));
}

#[tokio::test]
async fn the_time_until_which_to_call_is_sent_and_an_empty_request_id_is_not() {
    let mut inputs = say();
    inputs["ValidUntil"] = json!("2026-02-03T05:00:00Z");
    inputs["clientRequestId"] = json!(" ");
    let body = body_sent(VoiceApi::Callflows, inputs).await;
    assert_eq!(body["validUntil"], "2026-02-03T05:00:00Z");
    assert_eq!(body.get("clientRequestId"), None);
}

#[tokio::test]
async fn the_subaccount_of_the_step_comes_before_the_one_of_the_instance() {
    for (given, used) in [
        (json!({"subAccountId": "acme_voice"}), "acme_voice"),
        (json!({"subaccountId": "acme_voice"}), "acme_voice"),
        (json!({"SUBACCOUNTID": 123}), "123"),
        (json!({"subAccountId": "a&b"}), "a&b"),
        (json!({"subAccountId": null}), "acme_fallback"),
        (json!({"subAccountId": "  "}), "acme_fallback"),
        (json!({}), "acme_fallback"),
    ] {
        let server = RecordedServer::start(vec![Reply::json("200 OK", CREATED)]).await;
        let call = place(&server, given).await.unwrap();
        assert_eq!(call.sub_account_id, used);
        let path = format!("POST /api/v1/subaccounts/{}/callflows ", used.replace('&', "%26"));
        assert!(server.requests()[0].starts_with(&path));
    }
    let server = RecordedServer::start(vec![Reply::json("200 OK", CREATED)]).await;
    for wrong in [json!("a/b"), json!("x"), json!({"id": "abc"})] {
        assert_eq!(
            place(&server, json!({"subAccountId": wrong})).await,
            Err(SendFailure::Failed { message: "Invalid subaccount id.".to_owned() })
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn members_that_the_platform_sends_itself_stay_and_null_is_filled_in() {
    let answer = json!({"sessionId": 77, "sessionStatus": "created", "clientRequestId": "theirs",
        "destination": null, "status": {"code": "NEW"}});
    let server = RecordedServer::start(vec![Reply::json("201 Created", &answer.to_string())]).await;
    let call = place(&server, say()).await.unwrap();
    assert_eq!(
        call.response,
        json!({"sessionId": 77, "sessionStatus": "created", "clientRequestId": "theirs",
            "destination": "+6590001111", "status": {"code": "NEW"}, "uid": "77"})
    );
    assert_eq!((call.session_id.as_str(), call.client_request_id.as_deref()), ("77", Some("theirs")));
}

#[tokio::test]
async fn a_client_request_id_that_the_platform_does_not_take_is_left_out() {
    for (status, refusal) in [
        (
            "400 Bad Request",
            json!({"sessionStatus": "NOT_CREATED", "statusCode": -1009,
                "statusMessage": "Invalid call flow entry provided. $.clientRequestId: is not defined"}),
        ),
        (
            "422 Unprocessable Entity",
            json!({"sessionStatus": "NOT_CREATED", "statusCode": "-1009",
                "statusMessage": "Invalid call flow entry provided."}),
        ),
        ("200 OK", json!({"sessionStatus": "NOT_CREATED", "statusCode": -1009})),
    ] {
        let replies = vec![Reply::json(status, &refusal.to_string()), Reply::json("200 OK", CREATED)];
        let server = RecordedServer::start(replies).await;
        let mut inputs = say();
        inputs["clientRequestId"] = json!("order-7");
        let call = place(&server, inputs).await.unwrap();
        let [first, second] = server.bodies().try_into().unwrap();
        assert_eq!(first["clientRequestId"], "order-7");
        assert_eq!(second, json!({"callflow": first["callflow"]}));
        // Whoever waits for the keys waits under it all the same.
        assert_eq!(call.client_request_id.as_deref(), Some("order-7"));
        assert_eq!(call.response["clientRequestId"], "order-7");
    }
}

#[tokio::test]
async fn another_body_is_asked_for_under_another_key_and_every_attempt_under_the_same_two() {
    let refusal = json!({"sessionStatus": "NOT_CREATED", "statusCode": -1009}).to_string();
    let refused = Reply::json("400 Bad Request", &refusal);
    let replies = vec![
        refused.clone(),
        Reply::json("429 Too Many Requests", "{}"),
        refused,
        Reply::json("200 OK", CREATED),
    ];
    let mut inputs = say();
    inputs["clientRequestId"] = json!("order-7");
    let server = RecordedServer::start(replies).await;
    assert!(matches!(place(&server, inputs.clone()).await, Err(SendFailure::Retry { .. })));
    place(&server, inputs).await.unwrap();
    let key = |request: String| {
        let line = request.lines().find_map(|line| line.strip_prefix("idempotency-key: ").map(str::to_owned));
        Uuid::parse_str(&line.unwrap()).unwrap()
    };
    let keys: Vec<Uuid> = server.requests().into_iter().map(key).collect();
    assert_eq!((keys[0], keys[1]), (KEY, keys[3]));
    assert_eq!(keys[0], keys[2]);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_refusal_about_something_else_is_not_asked_again() {
    let refusal = |code: i64, message: &str| {
        json!({"sessionStatus": "NOT_CREATED", "statusCode": code, "statusMessage": message}).to_string()
    };
    for (client_request_id, refusal) in [
        (
            json!("order-7"),
            refusal(
                -1009,
                "Invalid call flow entry provided. $.callflow[0].params.text: is missing but it is required",
            ),
        ),
        (json!("order-7"), refusal(-1001, "clientRequestId")),
        (json!(null), refusal(-1009, "$.clientRequestId")),
    ] {
        let server = RecordedServer::start(vec![Reply::json("400 Bad Request", &refusal)]).await;
        let mut inputs = say();
        inputs["clientRequestId"] = client_request_id;
        assert!(place(&server, inputs).await.is_err());
        assert_eq!(server.requests().len(), 1, "{refusal}");
    }
    let twice = refusal(-1009, "$.clientRequestId");
    let server = RecordedServer::start(vec![Reply::json("400 Bad Request", &twice)]).await;
    let mut inputs = say();
    inputs["clientRequestId"] = json!("order-7");
    assert!(place(&server, inputs).await.is_err());
    assert_eq!(server.requests().len(), 2);
}
