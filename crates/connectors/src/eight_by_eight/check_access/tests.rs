//! Recorded answers to the harmless reads.

use super::{Access, check_access};
use crate::eight_by_eight::{EightByEightSettings, Product, VoiceApi};
use crate::recorded_server::{RecordedServer, Reply, closed_url, loopback_client};

fn settings(url: &str) -> EightByEightSettings {
    EightByEightSettings {
        sms_url: Some(format!("{url}/sms")),
        chat_apps_url: Some(format!("{url}/chatapps")),
        voice_url: Some(format!("{url}/voice")),
        ..EightByEightSettings::default()
    }
}

async fn check(settings: EightByEightSettings, subaccount: &str) -> Vec<(Product, Access)> {
    check_access(&loopback_client(), &settings.resolve("k-1".to_owned()), subaccount).await
}

/// What each product is taken to say when all of them answer like this.
async fn all(status: &str, body: &str) -> [Access; 3] {
    let server = RecordedServer::start(vec![Reply::json(status, body)]).await;
    let checked = check(settings(&server.url("")), "acme_sms").await;
    let access = |product| checked.iter().find(|(checked, _)| *checked == product).unwrap().1.clone();
    [access(Product::Sms), access(Product::ChatApps), access(Product::Voice)]
}

#[tokio::test]
async fn every_product_is_read_with_the_key() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", "[]")]).await;
    let checked = check(settings(&server.url("")), " acme&co ").await;
    assert_eq!(checked[2], (Product::Voice, Access::Works));
    let mut requests = server.requests();
    requests.sort();
    let read = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nauthorization: Bearer k-1\r\naccept: application/json\r\n\
             user-agent: automation\r\nhost: HOST\r\n\r\n"
        )
    };
    assert_eq!(
        requests,
        [
            read("/chatapps/api/v1/subaccounts/acme%26co/messages/00000000-0000-0000-0000-000000000000"),
            read("/sms/api/v1/subaccounts/acme%26co/messages/00000000-0000-0000-0000-000000000000"),
            read("/voice/api/v1/subaccounts/acme%26co/webhooks"),
        ]
    );
}

#[tokio::test]
async fn a_message_that_is_not_there_proves_the_key() {
    for (status, body) in [
        ("404 Not Found", r#"{"code": 1300, "message": "Message not found."}"#),
        ("400 Bad Request", r#"{"code": 1000, "message": "Invalid umid."}"#),
        ("400 Bad Request", r#"{"code": 1008, "message": "Invalid id"}"#),
    ] {
        let [sms, chat_apps, voice] = all(status, body).await;
        assert_eq!((sms, chat_apps), (Access::Works, Access::Works), "{body}");
        assert!(matches!(voice, Access::Unclear { .. }), "it was asked for something else");
    }
}

#[tokio::test]
async fn a_success_counts_only_with_what_was_asked_for() {
    let unclear = Access::Unclear { message: "the answer is not one that is known: HTTP 200 OK".to_owned() };
    let message = r#"{"umid": "00000000-0000-0000-0000-000000000000", "status": {"state": "sent"}}"#;
    let webhooks = r#"[{"type": "VCA", "url": "https://a.example/"}, {"type": "VSS"}]"#;
    for (body, about_messages, about_webhooks) in [
        (message, true, false),
        (webhooks, false, true),
        ("[]", false, true),
        ("", false, false),
        ("<html>It works!</html>", false, false),
        ("null", false, false),
        (r#"{"ok": true}"#, false, false),
        (r#"["ok"]"#, false, false),
        (r#"{"umid": null}"#, false, false),
    ] {
        let expected = |works: bool| if works { Access::Works } else { unclear.clone() };
        let messages = expected(about_messages);
        assert_eq!(
            all("200 OK", body).await,
            [messages.clone(), messages, expected(about_webhooks)],
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_refused_key_is_told_in_the_platforms_words() {
    for (status, body, message) in [
        (
            "401 Unauthorized",
            r#"{"code": 1200, "message": "Request was not authenticated properly"}"#,
            "Request was not authenticated properly",
        ),
        ("403 Forbidden", r#"{"code": 1201, "message": "Access forbidden"}"#, "Access forbidden"),
        (
            "401 Unauthorized",
            r#"{"statusCode": 401, "statusMessage": "Authentication header not found or token invalid"}"#,
            "Authentication header not found or token invalid",
        ),
        ("401 Unauthorized", "", "HTTP 401 Unauthorized"),
    ] {
        for access in all(status, body).await {
            assert_eq!(access, Access::Refused { message: message.to_owned() });
        }
    }
}

#[tokio::test]
async fn a_subaccount_of_somebody_else_is_told() {
    let message = "Provided subAccountId doesn't belongs to your account".to_owned();
    let body = format!(r#"{{"code": 1001, "message": "{message}"}}"#);
    for access in all("400 Bad Request", &body).await {
        assert_eq!(access, Access::UnknownSubAccount { message: message.clone() });
    }
    let [sms, _, voice] = all(
        "404 Not Found",
        r#"{"statusCode": 404, "statusMessage": "SubAccount not found by Id : acme_sms"}"#,
    )
    .await;
    let message = "SubAccount not found by Id : acme_sms".to_owned();
    assert_eq!(voice, Access::UnknownSubAccount { message });
    assert!(matches!(sms, Access::Unclear { .. }));
}

#[tokio::test]
async fn everything_else_is_reported_as_it_is() {
    for (status, body, told) in [
        ("404 Not Found", "<html>", "the answer is not one that is known: HTTP 404 Not Found"),
        (
            "500 Internal Server Error",
            r#"{"code": 2000, "message": "Internal server error"}"#,
            "the answer is not one that is known: Internal server error",
        ),
        (
            "400 Bad Request",
            r#"{"code": 1000, "message": "Invalid colour."}"#,
            "the answer is not one that is known: Invalid colour.",
        ),
    ] {
        for access in all(status, body).await {
            assert_eq!(access, Access::Unclear { message: told.to_owned() });
            assert_eq!(access.to_string(), told);
        }
    }
    let closed = closed_url();
    for (product, access) in check(settings(&closed), "acme_sms").await {
        assert!(
            access.to_string().starts_with("Call failed. Connection refused: GET http"),
            "{product}: {access}"
        );
    }
}

#[tokio::test]
async fn nothing_is_asked_about_what_cannot_be_a_subaccount() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", "[]")]).await;
    for (_, access) in check(settings(&server.url("")), "../x").await {
        assert!(
            access.to_string().starts_with("the subaccount is not known: `../x` cannot be one"),
            "{access}"
        );
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_first_voice_api_cannot_be_asked() {
    let server = RecordedServer::start(vec![Reply::json("200 OK", "[]")]).await;
    let settings = EightByEightSettings { voice_api: VoiceApi::Calls, ..settings(&server.url("")) };
    let checked = check(settings, "acme_sms").await;
    assert!(matches!(checked[2], (Product::Voice, Access::Unclear { .. })));
    assert_eq!(server.requests().len(), 2);
}
