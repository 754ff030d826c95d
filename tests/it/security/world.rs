//! Two accounts that have one of everything, and the operations that could tell one about the other.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use trunkline::api::ApiConfig;
use trunkline_store::applications::{ApplicationFields, CreatedApplication};
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use crate::bad_input::bodies;
use crate::nexmo::site::{basic, keys};
use crate::support::{Answer, TestApp, WEBHOOK_SECRET, enabled, instance_id};

/// How an operation knows its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// By a key of the account in the path.
    Key,
    /// By a secret of the Workflows API, or a token; only by a secret.
    Workflows {
        tokens: bool,
    },
    /// By the account's webhook secret.
    Webhook,
    Anybody,
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub id: String,
    pub method: Method,
    pub template: String,
    pub callers: Callers,
    /// As the document has it.
    pub described: Value,
}

impl Operation {
    pub fn takes_body(&self) -> bool {
        self.described.get("requestBody").is_some()
    }

    /// The names of what the path names, but for the account.
    pub fn ids(&self) -> Vec<&str> {
        self.template.split(['{', '}']).skip(1).step_by(2).filter(|name| *name != "accountId").collect()
    }

    pub fn changes_nothing(&self) -> bool {
        self.method == Method::GET || self.id == "validate-definition"
    }

    /// What it names of this kind.
    pub fn thing(&self, name: &str) -> &'static str {
        match name {
            "definitionId" => "definition",
            "workflowId" => "instance",
            "instanceId" => "failed instance",
            "batchId" => "batch",
            "applicationId" => "application",
            "uuid" if self.template.contains("/messages/") => "message",
            "uuid" => "dispatch",
            other => panic!("`{other}` in {} names something that nobody has here: add one", self.template),
        }
    }

    /// A body that it takes.
    pub fn good_body(&self) -> Option<Value> {
        self.takes_body().then(|| match self.callers {
            Callers::Workflows { .. } => match self.id.as_str() {
                "create-application" | "update-application" => json!({"name": "Parcel alerts"}),
                "create-dispatch" | "create-workflow" => workflow(),
                "send-message" => message("447700900000"),
                other => panic!("`{other}` takes a body that nobody has written: add a good one"),
            },
            _ => bodies::good(&self.id),
        })
    }
}

/// What an account has, and what opens it.
pub struct Possessions {
    pub account: String,
    /// `Authorization` headers.
    pub key: String,
    pub secret: String,
    pub webhook: String,
    pub api_key: String,
    things: BTreeMap<&'static str, String>,
}

impl Possessions {
    pub fn path(&self, operation: &Operation) -> String {
        operation.ids().iter().fold(self.path_of_account(operation), |path, name| {
            path.replace(&format!("{{{name}}}"), self.id(operation.thing(name)))
        })
    }

    pub fn path_of_account(&self, operation: &Operation) -> String {
        operation.template.replace("{accountId}", &self.account)
    }

    pub fn id(&self, thing: &str) -> &str {
        &self.things[thing]
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.things.values().map(String::as_str)
    }

    pub fn authorization(&self, operation: &Operation) -> &str {
        match operation.callers {
            Callers::Key => &self.key,
            Callers::Workflows { .. } => &self.secret,
            Callers::Webhook => &self.webhook,
            Callers::Anybody => "",
        }
    }
}

pub struct World {
    pub app: TestApp,
    pub document: Value,
    pub operations: Vec<Operation>,
    pub own: Possessions,
    pub foreign: Possessions,
}

impl World {
    pub async fn build() -> Self {
        let config = ApiConfig { nexmo_rate: std::num::NonZeroU32::new(1_000_000), ..ApiConfig::default() };
        let app = TestApp::start_with(config).await;
        let document = Answer::of(app.request(Method::GET, "/openapi.json")).await.expect(200);
        let (_, foreign_key) = app.other_account("other").await;
        let own = possessions(&app, "acme", app.key(), "ab001f09", WEBHOOK_SECRET).await;
        let foreign = possessions(&app, "other", &foreign_key, "cd002e10", "Basic b3RoZXI=").await;
        Self { operations: operations(&document), app, document, own, foreign }
    }

    pub fn operations(&self, callers: impl Fn(Callers) -> bool) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(move |operation| callers(operation.callers))
    }

    /// A request with its good body, if it takes one.
    pub fn request(&self, operation: &Operation, path: &str) -> RequestBuilder {
        let request = self.app.request(operation.method.clone(), path);
        match operation.good_body() {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    pub async fn call(&self, operation: &Operation, path: &str, authorization: &str) -> Answer {
        Answer::of(self.request(operation, path).header(AUTHORIZATION, authorization)).await
    }

    /// A sum over each table's rows: whatever changes, it shows.
    pub async fn contents(&self) -> BTreeMap<String, Option<String>> {
        let sums: Vec<String> = sqlx::query_scalar(
            "select format('select %L::text, md5(string_agg(t::text, %L order by t::text)) from %I t', table_name, '|', table_name)
             from information_schema.tables
             where table_schema = 'public' and table_type = 'BASE TABLE'
                 -- Of processes, not of accounts.
                 and table_name not in ('workers', 'upkeep')",
        )
        .fetch_all(self.app.store().pool())
        .await
        .unwrap();
        let sums: Vec<(String, Option<String>)> = sqlx::query_as(AssertSqlSafe(sums.join(" union all ")))
            .fetch_all(self.app.store().pool())
            .await
            .unwrap();
        sums.into_iter().collect()
    }
}

pub fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let schemes: Vec<&str> = match described.get("security") {
                None => vec!["bearerAuth"],
                Some(security) => security
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|one| one.as_object().unwrap().keys().next())
                    .map(String::as_str)
                    .collect(),
            };
            let callers = match schemes[..] {
                ["bearerAuth"] => Callers::Key,
                ["basicAuth"] => Callers::Workflows { tokens: false },
                ["basicAuth", "applicationJwt"] => Callers::Workflows { tokens: true },
                ["webhookAuthorization"] => Callers::Webhook,
                [] => Callers::Anybody,
                _ => panic!("{method} {template} knows its callers in a way that nobody tries: {schemes:?}"),
            };
            operations.push(Operation {
                id: described["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                template: template.clone(),
                callers,
                described: described.clone(),
            });
        }
    }
    operations
}

/// An answer without what is of this one answer: ids of errors and traces, times, and the ids that were asked for.
pub fn comparable(answer: &Answer, asked: &[&str]) -> String {
    let mut text = answer.text.clone();
    for id in asked {
        text = text.replace(id, "ID");
    }
    if let Ok(Value::Object(mut body)) = serde_json::from_str::<Value>(&text) {
        for of_this_one in ["errorId", "timestamp", "instance"] {
            body.remove(of_this_one);
        }
        text = Value::Object(body).to_string();
    }
    format!("{} {} {text}", answer.status, headers(&answer.headers))
}

fn headers(headers: &HeaderMap) -> String {
    let mut shown: Vec<String> = headers
        .iter()
        .filter(|(name, _)| !["date", "content-length", "x-nexmo-trace-id"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    shown.sort();
    shown.join(", ")
}

pub fn workflow() -> Value {
    let mut first = message("447700900000");
    first["failover"] = json!({"expiry_time": 600, "condition_status": "delivered"});
    json!({"template": "failover", "workflow": [first, message("447700900002")]})
}

pub fn message(number: &str) -> Value {
    json!({"from": {"type": "sms", "number": "447700900001"}, "to": {"type": "sms", "number": number},
        "message": {"content": {"type": "text", "text": "Your parcel is here"}}})
}

async fn possessions(app: &TestApp, account: &str, key: &str, api_key: &str, webhook: &str) -> Possessions {
    let key = format!("Bearer {key}");
    let id = AccountId::new(account);
    let (store, by) = (app.store(), By::trunkline());
    assert!(store.replace_webhook_secret(&id, webhook, &by).await.unwrap());
    store.ensure_nexmo_account(&id, api_key, &by).await.unwrap().unwrap();
    let secret = ApiSecret::from_random(rand::random());
    assert!(matches!(store.add_secret(&id, &secret, &by).await.unwrap(), AddedSecret::Added(_)));
    let secret = basic(api_key, secret.reveal());
    let [pair, _] = keys().await;
    let fields = ApplicationFields { name: "Parcel alerts".to_owned(), urls: CallbackUrls::default() };
    let created = store.create_application(&id, Uuid::new_v4(), &fields, &pair.public.to_pem(), &by).await;
    let CreatedApplication::Created(application) = created.unwrap() else { panic!("not created") };

    let root = format!("/api/v1/accounts/{account}");
    let post = async |authorization: &str, path: &str, body: Value| {
        let request = app.request(Method::POST, path).header(AUTHORIZATION, authorization);
        let answer =
            Answer::of(request.header(CONTENT_TYPE, "application/json").body(body.to_string())).await;
        assert!(answer.status.is_success(), "{path} {answer:?}");
        answer
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let definition =
        text(&post(&key, &format!("{root}/definitions"), enabled("http_request", None)).await.json()["id"]);
    let start = async || {
        let answer = post(&key, &format!("{root}/definitions/{definition}/workflows"), json!({})).await;
        instance_id(answer.header("location").unwrap()).to_string()
    };
    let (instance, failed) = (start().await, start().await);
    for statement in [
        "delete from jobs where instance_id = decode($1, 'hex')",
        "insert into steps (instance_id, n, name, status, attempt, error)
         values (decode($1, 'hex'), 1, 'end', 'Failed', 1, 'no')",
        "update instances set status = 'Terminated', completed_at = now() where id = decode($1, 'hex')",
    ] {
        sqlx::query(statement).bind(&failed).execute(store.pool()).await.unwrap();
    }
    let batch = json!({"action": "rerun", "instances": [failed]});
    let batch = text(&post(&key, &format!("{root}/batches"), batch).await.json()["batchId"]);
    let json = |answer: Answer| serde_json::from_str::<Value>(&answer.text).unwrap();
    let dispatch = text(&json(post(&secret, "/v0.1/dispatch", workflow()).await)["dispatch_uuid"]);
    let message = text(&json(post(&secret, "/v0.1/messages", message("447700900003")).await)["message_uuid"]);
    // As the worker writes it down before it sends it.
    sqlx::query(
        "insert into messages (account_id, umid, channel, state, rank, changed_at, echo)
         values ($1, $2, 'sms', 'submitted', 1, now(), $3)",
    )
    .bind(account)
    .bind(&message)
    .bind(json!({"to": {"type": "sms"}, "from": {"type": "sms"}}).to_string())
    .execute(store.pool())
    .await
    .unwrap();
    let things = BTreeMap::from([
        ("definition", definition),
        ("instance", instance),
        ("failed instance", failed),
        ("batch", batch),
        ("application", application.id.to_string()),
        ("dispatch", dispatch),
        ("message", message),
    ]);
    let api_key = api_key.to_owned();
    Possessions { account: account.to_owned(), key, secret, webhook: webhook.to_owned(), api_key, things }
}
