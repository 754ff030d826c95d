//! A server with an account that has an API key, and a path that tells who calls it.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use trunkline::api::nexmo::body::JsonBody;
use trunkline::api::nexmo::key_pair::KeyPair;
use trunkline::api::nexmo::{Caller, mount, with_problems};
use trunkline::api::{ApiConfig, ApiState};
use trunkline_connectors::clock;
use trunkline_connectors::messages_api::{SignatureFault, WebhookClaims, verify_webhook_token};
use trunkline_store::applications::{ApplicationFields, ApplicationId, CreatedApplication};
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::support::{Answer, TestApp, http_client};

pub const API_KEY: &str = "ab001f09";

pub struct Site {
    pub app: TestApp,
    url: String,
    config: ApiConfig,
    http: reqwest::Client,
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(ApiConfig::default()).await
    }

    /// The account `acme` has an API key, and no secret yet.
    pub async fn start_with(config: ApiConfig) -> Self {
        let app = TestApp::start().await;
        app.store().ensure_nexmo_account(app.account(), API_KEY, &By::trunkline()).await.unwrap().unwrap();
        let url = serve(&app, config.clone()).await;
        Self { app, url, config, http: http_client() }
    }

    /// A server that remembers nothing from before.
    pub async fn forget(&mut self) {
        self.url = serve(&self.app, self.config.clone()).await;
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A dispatch without a credential.
    pub fn dispatch(&self) -> RequestBuilder {
        self.request(Method::POST, "/v0.1/dispatch").header(CONTENT_TYPE, "application/json").body("{}")
    }

    /// A dispatch with this header.
    pub async fn call(&self, authorization: &str) -> Answer {
        Answer::of(self.dispatch().header(AUTHORIZATION, authorization)).await
    }

    /// The new secret's id, and the header with it.
    pub async fn new_secret(&self) -> (Uuid, String) {
        let secret = ApiSecret::from_random(rand::random());
        match self.app.store().add_secret(self.app.account(), &secret, &By::trunkline()).await.unwrap() {
            AddedSecret::Added(id) => (id, basic(API_KEY, secret.reveal())),
            other => panic!("{other:?}"),
        }
    }

    /// An application of the account with this key.
    pub async fn new_application(&self, key: &KeyPair) -> ApplicationId {
        let fields = ApplicationFields { name: "Parcel alerts".to_owned(), urls: CallbackUrls::default() };
        let (account, pem) = (self.app.account(), key.public.to_pem());
        let created = self
            .app
            .store()
            .create_application(account, Uuid::new_v4(), &fields, &pem, &By::trunkline())
            .await;
        match created.unwrap() {
            CreatedApplication::Created(application) => application.id,
            other => panic!("{other:?}"),
        }
    }

    /// Another account with an API key; gives the header with its secret.
    pub async fn other_account(&self, name: &str, api_key: &str) -> String {
        let account = AccountId::new(name);
        let store = self.app.store();
        assert!(store.create_account(&account).await.unwrap());
        store.ensure_nexmo_account(&account, api_key, &By::trunkline()).await.unwrap().unwrap();
        let secret = ApiSecret::from_random(rand::random());
        assert!(matches!(
            store.add_secret(&account, &secret, &By::trunkline()).await.unwrap(),
            AddedSecret::Added(_)
        ));
        basic(api_key, secret.reveal())
    }
}

async fn serve(app: &TestApp, config: ApiConfig) -> String {
    let state = ApiState::new(app.store().clone(), clock::now, config);
    let tell = async |caller: Caller, JsonBody(body, _room): JsonBody| {
        let Caller { account, api_key, application } = caller;
        let told = json!({"account": account.as_str(), "api_key": api_key, "application": application, "body": body});
        (StatusCode::ACCEPTED, axum::Json(told))
    };
    let routes = mount(Router::new(), "/v0.1/dispatch", post(tell));
    let routes = mount(routes, "/beta/workflows", post(tell));
    let routes = mount(routes, "/v0.1/panic", get(async || -> StatusCode { panic!("row 7") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = with_problems(routes).with_state(state);
    let service = served.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

pub fn basic(api_key: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{api_key}:{secret}")))
}

/// Two pairs of the whole run: making one takes a while.
pub async fn keys() -> &'static [KeyPair; 2] {
    static KEYS: OnceCell<[KeyPair; 2]> = OnceCell::const_new();
    KEYS.get_or_init(async || [KeyPair::generate().await, KeyPair::generate().await]).await
}

pub fn now() -> i64 {
    clock::now().timestamp()
}

/// The claims that the official client sends, with others added or, by `null`, taken away.
pub fn claims(application: ApplicationId, changes: Value) -> Value {
    let mut claims = json!({"iat": now(), "jti": Uuid::new_v4(), "application_id": application});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// A token as the official client makes it, as a header.
pub fn token(key: &KeyPair, claims: &Value) -> String {
    sign(&json!({"alg": "RS256", "typ": "JWT"}), claims, |signed| rsa(key, &RSA_PKCS1_SHA256, signed))
}

/// Any token at all, as a header.
pub fn sign(header: &Value, claims: &Value, signature: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(signature(signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

/// The signature of a key.
pub fn rsa(key: &KeyPair, algorithm: &'static dyn RsaEncoding, signed: &[u8]) -> Vec<u8> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(key.private_pem.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(algorithm, &SystemRandom::new(), signed, &mut signature).unwrap();
    signature
}

/// Whether a body comes, now, from somebody who knows the secret.
pub fn verify_webhook(
    secret: &str,
    authorization: &str,
    body: &[u8],
) -> Result<WebhookClaims, SignatureFault> {
    let claims = verify_webhook_token(secret, authorization, clock::now())?;
    claims.verify_body(body)?;
    Ok(claims)
}

/// A problem with this status and the end of its type (N-011). Gives its body.
#[track_caller]
pub fn expect_problem(answer: &Answer, status: u16, of_type: &str) -> Value {
    answer.expect_status(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    for member in ["type", "title", "detail", "instance"] {
        assert!(body[member].is_string(), "{answer:?}");
    }
    assert!(body["type"].as_str().unwrap().ends_with(of_type), "{answer:?}");
    let instance = body["instance"].as_str().unwrap();
    assert_eq!(answer.header("x-nexmo-trace-id"), Some(instance), "{answer:?}");
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(instance.len() == 32 && instance.chars().all(is_digit), "{answer:?}");
    body
}

/// The body of a 202.
#[track_caller]
pub fn expect_accepted(answer: &Answer) -> Value {
    answer.expect_status(202);
    serde_json::from_str(&answer.text).unwrap()
}
