//! A server of its own for a test, with an account and its key.

use std::net::SocketAddr;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use trunkline::api::{ApiConfig, ApiState, router};
use trunkline_connectors::clock;
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::keys::{KeySecret, NewKey};
use trunkline_store::sealing::MasterKeys;
use trunkline_workflow::{AccountId, InstanceId};

use super::answer::Answer;
use super::postgres::Database;

/// Of every test, as `TRUNKLINE_MASTER_KEY` has it.
pub const MASTER_KEY: &str = "dHJ1bmtsaW5lIHRlc3RzLCAzMiBieXRlcyBpbiBhbGw=";

/// What the platform sends as `Authorization` for the test's account.
pub const WEBHOOK_SECRET: &str = "Basic c2VjcmV0";

/// Serves until it is dropped. Nothing runs the instances: a test that wants them to go on brings a worker
/// for [`TestApp::store`].
pub struct TestApp {
    url: String,
    account: AccountId,
    key: String,
    store: Store,
    http: reqwest::Client,
    database_url: String,
    // Last, so that everything that is connected to it is gone first.
    database: Option<Database>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(ApiConfig::default()).await
    }

    pub async fn start_with(config: ApiConfig) -> Self {
        let database = Database::create().await;
        Self::build(database.url.clone(), Some(database), config).await
    }

    /// On an empty database that the test brings itself.
    pub async fn on(database_url: String) -> Self {
        let store = Store::open(&database_url, 1).unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        Self::build(database_url, None, ApiConfig::default()).await
    }

    async fn build(database_url: String, database: Option<Database>, config: ApiConfig) -> Self {
        let store = open_store(&database_url);
        let url = serve(store.clone(), config).await;
        let account = AccountId::new("acme");
        let key = new_key(&store, &account).await;
        assert!(store.replace_webhook_secret(&account, WEBHOOK_SECRET, &By::trunkline()).await.unwrap());
        Self { url, account, key, store, http: http_client(), database_url, database }
    }

    /// The server's root.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// For what a test wants to see of a session: past a pooler.
    pub fn direct_url(&self) -> &str {
        self.database.as_ref().map_or(&self.database_url, |database| &database.direct_url)
    }

    pub fn account(&self) -> &AccountId {
        &self.account
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A new account and a key of it.
    pub async fn other_account(&self, name: &str) -> (AccountId, String) {
        let account = AccountId::new(name);
        let key = new_key(&self.store, &account).await;
        (account, key)
    }

    /// A request to any path, without a key.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request to a path below our account, with our key.
    pub fn account_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/api/v1/accounts/{}{path}", self.account)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.account_request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.account_request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.account_request(Method::PUT, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.account_request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.account_request(Method::DELETE, path)).await
    }

    /// Where the platform calls.
    pub fn webhook_url(&self) -> String {
        format!("{}/webhooks/v1/accounts/{}/messages", self.url, self.account)
    }

    /// The platform calls.
    pub async fn webhook(&self, body: Value) -> Answer {
        self.webhook_to("messages", body).await
    }

    /// The platform calls one of the account's webhooks: `messages`, `voice`, `dtmf`.
    pub async fn webhook_to(&self, webhook: &str, body: Value) -> Answer {
        Answer::of(self.webhook_request(webhook).json(&body)).await
    }

    /// Such a call, to be changed yet.
    pub fn webhook_request(&self, webhook: &str) -> RequestBuilder {
        let path = format!("/webhooks/v1/accounts/{}/{webhook}", self.account);
        self.request(Method::POST, &path).header(AUTHORIZATION, WEBHOOK_SECRET)
    }

    /// Saves a definition; gives its id.
    pub async fn define(&self, definition: Value) -> String {
        let saved = self.post("/definitions", definition).await.expect(201);
        saved["id"].as_str().unwrap().to_owned()
    }

    /// Starts an instance by hand; gives its path below the account.
    pub async fn start_instance(&self, definition: &str, body: Value) -> String {
        let answer = self.post(&format!("/definitions/{definition}/workflows"), body).await;
        answer.expect_empty(201);
        let prefix = format!("/api/v1/accounts/{}", self.account);
        answer.header("location").unwrap().strip_prefix(&prefix).unwrap().to_owned()
    }

    /// The instances of a definition's newest version, the newest first.
    pub async fn instances_of(&self, definition: &str) -> Vec<Value> {
        let list = self.get(&format!("/definitions/{definition}/workflows")).await.expect(200);
        list.as_array().unwrap().clone()
    }

    /// Ends an instance as a worker would that ran it to its end.
    pub async fn complete(&self, instance_path: &str) {
        let id = instance_id(instance_path);
        for statement in [
            "delete from jobs where instance_id = $1",
            "update instances set status = 'Complete', completed_at = now() where id = $1",
        ] {
            let done = sqlx::query(statement).bind(id.as_bytes().as_slice()).execute(self.store.pool()).await;
            assert_eq!(done.unwrap().rows_affected(), 1);
        }
    }
}

/// The id at the end of an instance's path.
pub fn instance_id(path: &str) -> InstanceId {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// Serves a store on a port of its own; gives the URL.
pub async fn serve(store: Store, config: ApiConfig) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router(ApiState::new(store, clock::now, config));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://{address}")
}

/// A store with the tests' master key.
pub fn open_store(database_url: &str) -> Store {
    let keys = MasterKeys::parse(MASTER_KEY).unwrap();
    Store::open(database_url, 8).unwrap().with_master_keys(keys)
}

pub fn http_client() -> reqwest::Client {
    // Whoever comes first installs it; the others find it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

async fn new_key(store: &Store, account: &AccountId) -> String {
    assert!(store.create_account(account).await.unwrap());
    let secret = KeySecret::from_random(rand::random());
    store.create_key(account, &NewKey::named("tests"), &secret, &By::trunkline()).await.unwrap().unwrap();
    secret.reveal().to_owned()
}
