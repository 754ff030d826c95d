//! Webhooks that the Messages API signs: the signature decides, and nothing else (Dispatch 12.5).

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use trunkline::api::{ApiConfig, ApiState, router};
use trunkline_connectors::messages_api::sign_webhook;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector, NewSignature};
use trunkline_store::webhook_settings::{Headerless, url_token};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::support::{Answer, TestApp, WEBHOOK_SECRET, http_client};

const SECRET: &str = "provider's own";

/// The clock of these servers.
fn noon() -> DateTime<Utc> {
    "2026-02-03T12:00:00Z".parse().unwrap()
}

/// A server that knows nothing from before, and its database.
struct Server {
    app: TestApp,
    url: String,
}

impl Server {
    async fn start(signature: NewSignature<'_>) -> Self {
        let app = TestApp::start().await;
        set(&app, app.account(), signature).await;
        let url = serve(&app).await;
        Self { app, url }
    }

    async fn forget(&mut self) {
        self.url = serve(&self.app).await;
    }

    async fn send(&self, account: &str, path: &str, authorization: Option<&str>, body: &[u8]) -> Answer {
        let url = format!("{}/webhooks/v1/accounts/{account}/{path}", self.url);
        let request = http_client().request(Method::POST, url).header(CONTENT_TYPE, "application/json");
        let request = match authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        };
        Answer::of(request.body(body.to_vec())).await
    }

    /// What is stored of webhooks.
    async fn stored(&self) -> i64 {
        sqlx::query_scalar("select (select count(*) from callbacks) + (select count(*) from events)")
            .fetch_one(self.app.store().pool())
            .await
            .unwrap()
    }
}

async fn serve(app: &TestApp) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(ApiState::new(app.store().clone(), noon, ApiConfig::default()));
    let service = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

async fn set(app: &TestApp, account: &AccountId, signature: NewSignature<'_>) {
    let settings = json!({"auth": {"type": "basic", "apiKey": "key"}});
    let kind = ConnectorKind::MessagesApi;
    let new = NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("secret") };
    assert!(app.store().set_signing_connector(new, signature, &By::trunkline()).await.unwrap());
}

fn message(id: &str) -> Vec<u8> {
    // Blanks that another JSON writer would leave out: the signature is of the bytes.
    let body = json!({"message_uuid": id, "to": {"type": "sms", "number": "1"}, "from": {"type": "sms", "number": "2"},
        "message": {"content": {"type": "text", "text": "é"}}});
    format!(" {body:#}\n").into_bytes()
}

fn signed(secret: &str, body: &[u8], at: DateTime<Utc>) -> String {
    format!("Bearer {}", sign_webhook(secret, "key", None, body, at, Uuid::new_v4()))
}

#[tokio::test]
async fn a_signature_of_the_body_and_the_time_is_believed_and_no_other() {
    let server = Server::start(NewSignature::Secret(SECRET)).await;
    let body = message("p-1");
    let good = signed(SECRET, &body, noon());
    let refused = [
        None,
        Some(String::new()),
        Some(WEBHOOK_SECRET.to_owned()),
        Some(good.replace("Bearer ", "")),
        Some(good.replace("Bearer", "Basic")),
        Some(format!("{good}x")),
        Some(signed("another", &body, noon())),
        Some(signed("", &body, noon())),
        Some(signed(SECRET, &message("p-2"), noon())),
        Some(signed(SECRET, body.trim_ascii(), noon())),
        Some(signed(SECRET, &body, noon() - TimeDelta::days(2))),
        Some(signed(SECRET, &body, noon() + TimeDelta::minutes(2))),
    ];
    for webhook in [Headerless::InboundMessage, Headerless::MessageStatus] {
        let token = format!("?token={}", url_token(WEBHOOK_SECRET, webhook));
        let webhook = webhook.as_str();
        for query in ["", &token] {
            for authorization in &refused {
                let path = format!("{webhook}{query}");
                server.send("acme", &path, authorization.as_deref(), &body).await.expect_error(401, 1200);
            }
        }
    }
    assert_eq!(server.stored().await, 0);
    for at in [noon(), noon() - TimeDelta::hours(23), noon() + TimeDelta::seconds(59)] {
        server
            .send("acme", "inbound-message", Some(&signed(SECRET, &body, at)), &body)
            .await
            .expect_empty(200);
    }
    assert_eq!(server.stored().await, 1);
    let status = json!({"message_uuid": "p", "client_ref": Uuid::nil(), "status": "delivered"}).to_string();
    let authorization = signed(SECRET, status.as_bytes(), noon());
    server.send("acme", "message-status", Some(&authorization), status.as_bytes()).await.expect_empty(200);
    // What is no message is refused as such, once it is known from whom it is.
    let list = signed(SECRET, b"[]", noon());
    server.send("acme", "message-status", Some(&list), b"[]").await.expect_error(400, 1000);
    // The other webhooks are another provider's.
    server.send("acme", "messages", Some(WEBHOOK_SECRET), b"{}").await.expect_empty(200);
    server
        .send("acme", "messages", Some(&signed(SECRET, b"{}", noon())), b"{}")
        .await
        .expect_error(401, 1200);
}

#[tokio::test]
async fn a_signature_needs_no_webhook_secret_and_is_of_one_account() {
    let server = Server::start(NewSignature::Secret("acme's")).await;
    let (other, _) = server.app.other_account("other").await;
    set(&server.app, &other, NewSignature::Secret("other's")).await;
    let body = message("p-1");
    let [acmes, others] = ["acme's", "other's"].map(|secret| signed(secret, &body, noon()));
    for (account, authorization, status) in [
        ("acme", &acmes, 200),
        ("other", &others, 200),
        ("acme", &others, 401),
        ("other", &acmes, 401),
        ("nobody", &acmes, 401),
    ] {
        let answer = server.send(account, "inbound-message", Some(authorization), &body).await;
        assert_eq!(answer.status.as_u16(), status, "{account}");
    }
}

#[tokio::test]
async fn the_address_counts_with_a_signature_too() {
    let mut server = Server::start(NewSignature::Secret(SECRET)).await;
    let body = message("p-1");
    let authorization = signed(SECRET, &body, noon());
    for (allowed, status) in [("203.0.113.0/24", 401), ("127.0.0.1", 200)] {
        let store = server.app.store();
        assert!(
            store
                .allow_webhooks_from(server.app.account(), &[allowed.to_owned()], &By::trunkline())
                .await
                .unwrap()
        );
        server.forget().await;
        let answer = server.send("acme", "inbound-message", Some(&authorization), &body).await;
        assert_eq!(answer.status.as_u16(), status, "{allowed}");
    }
}

#[tokio::test]
async fn without_a_signature_secret_the_webhook_secret_or_its_token_is_asked_for() {
    let mut server = Server::start(NewSignature::None).await;
    let body = message("p-1");
    let authorization = signed("", &body, noon());
    server.send("acme", "inbound-message", Some(&authorization), &body).await.expect_error(401, 1200);
    server.send("acme", "inbound-message", Some(WEBHOOK_SECRET), &body).await.expect_empty(200);

    // A connector that is set again keeps it, unless it is to be forgotten.
    for (signature, status) in [
        (NewSignature::Secret(SECRET), 401),
        (NewSignature::AsBefore, 401),
        (NewSignature::None, 200),
        (NewSignature::AsBefore, 200),
    ] {
        set(&server.app, server.app.account(), signature).await;
        server.forget().await;
        let answer = server.send("acme", "inbound-message", Some(WEBHOOK_SECRET), &body).await;
        assert_eq!(answer.status.as_u16(), status);
    }
}

#[tokio::test]
async fn a_signature_secret_is_sealed_and_not_to_be_moved() {
    let mut server = Server::start(NewSignature::Secret(SECRET)).await;
    let (other, _) = server.app.other_account("other").await;
    let pool = server.app.store().pool();
    let stored: String =
        sqlx::query_scalar("select signature_secret from connectors").fetch_one(pool).await.unwrap();
    assert!(stored.starts_with("v1.") && !stored.contains(SECRET));
    set(&server.app, &other, NewSignature::None).await;
    sqlx::query("update connectors set signature_secret = $1").bind(&stored).execute(pool).await.unwrap();
    server.forget().await;
    let body = message("p-1");
    let authorization = signed(SECRET, &body, noon());
    server.send("other", "inbound-message", Some(&authorization), &body).await.expect_error(401, 1200);
    server.send("acme", "inbound-message", Some(&authorization), &body).await.expect_empty(200);
    let listed: Value = json!(format!("{:?}", server.app.store().list_connectors(&other).await.unwrap()));
    assert!(!listed.to_string().contains(SECRET));
}
