//! Workflows and messages over HTTP, from the request to what is told.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use trunkline_store::applications::{ApplicationFields, ApplicationId, CreatedApplication};
use trunkline_store::audit::By;
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::dispatches::{DEFINITION, MESSAGE_DEFINITION};
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_store::usage::QuotaChange;
use uuid::Uuid;

use super::site::{
    API_KEY, Site, basic, claims, expect_accepted, expect_problem, keys, token, verify_webhook,
};
use crate::support::{Answer, Engine, sample, until};

pub(super) const MESSAGES: &str = "/v0.1/messages";
const SIGNATURE: &str = "signature-secret-of-the-account";

pub(super) struct Desk {
    pub(super) engine: Engine,
    pub(super) secret: String,
    application: ApplicationId,
    pub(super) token: String,
}

impl Desk {
    pub(super) async fn open() -> Self {
        let engine = Engine::start().await;
        let settings = json!({"baseUrl": engine.endpoint.url, "auth": {"type": "basic", "apiKey": "key"}});
        engine.connect(ConnectorKind::MessagesApi, &settings, "secret").await;
        engine.endpoint.script(MESSAGES, &[(202, json!({"message_uuid": "provider-1"}))]);
        let (store, account) = (engine.app.store(), engine.app.account());
        store.ensure_nexmo_account(account, API_KEY, &By::trunkline()).await.unwrap().unwrap();
        let url = |path: &str| Some(format!("{}{path}", engine.endpoint.url));
        let urls = CallbackUrls { status: url("/account"), inbound: None };
        assert!(store.set_account_callbacks(account, &urls, &By::trunkline()).await.unwrap());
        assert!(store.set_signature_secret(account, SIGNATURE, &By::trunkline()).await.unwrap());
        let secret = ApiSecret::from_random(rand::random());
        assert!(matches!(
            store.add_secret(account, &secret, &By::trunkline()).await.unwrap(),
            AddedSecret::Added(_)
        ));
        let [key, _] = keys().await;
        let fields = ApplicationFields {
            name: "Parcel alerts".to_owned(),
            urls: CallbackUrls { status: url("/application"), inbound: None },
        };
        let created = store
            .create_application(account, Uuid::new_v4(), &fields, &key.public.to_pem(), &By::trunkline())
            .await;
        let CreatedApplication::Created(created) = created.unwrap() else { panic!("not created") };
        let application = created.id;
        let token = token(key, &claims(application, json!({})));
        let secret = basic(API_KEY, secret.reveal());
        Self { engine, secret, application, token }
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_as(&self.secret, path, body).await
    }

    pub(super) async fn post_as(&self, credential: &str, path: &str, body: &str) -> Answer {
        let request = self.engine.app.request(Method::POST, path).header(AUTHORIZATION, credential);
        Answer::of(request.header(CONTENT_TYPE, "application/json").body(body.to_owned())).await
    }

    /// What was told at an address, once it is so much.
    pub(super) async fn told(&self, path: &str, count: usize) -> Vec<Value> {
        until("all is told", || async { self.engine.endpoint.bodies_at(path).len() >= count }).await;
        self.engine.endpoint.bodies_at(path)
    }
}

pub(super) fn workflow() -> Value {
    json!({"template": "failover", "workflow": [
        {"from": {"type": "messenger", "id": "1000000000000001"}, "to": {"type": "messenger", "id": "2000000000000002"},
            "message": {"content": {"type": "text", "text": "Grüße 📦"}},
            "failover": {"expiry_time": 600, "condition_status": "read"}},
        {"from": {"type": "sms", "number": "447700900001"}, "to": {"type": "sms", "number": 447_700_900_000_u64},
            "message": {"content": {"type": "text", "text": "Your parcel is here"}}, "client_ref": "order-8812"},
        null,
    ]})
}

#[tokio::test]
async fn n_001_n_002_n_003_n_004_n_005_a_workflow_is_accepted_at_every_spelling_of_its_path() {
    let desk = Desk::open().await;
    let body = workflow().to_string();
    for path in ["/v0.1/dispatch", "/v0.1/dispatch?", "/v0.1/dispatch??timestamp=1&sig=x", "/v0.1/dispatch/"]
    {
        let accepted = expect_accepted(&desk.post(path, &body).await);
        assert_eq!(accepted.as_object().unwrap().len(), 1, "{accepted}");
        let id: Uuid = accepted["dispatch_uuid"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 4, "{path}");
    }
    let accepted = expect_accepted(&desk.post("/beta/workflows?", &body).await);
    assert_eq!(accepted["workflow_uuid"], accepted["dispatch_uuid"]);
    assert!(accepted["workflow_uuid"].as_str().unwrap().parse::<Uuid>().is_ok());
    desk.engine.run_until_idle().await;
    desk.engine.finish().await;
}

#[tokio::test]
async fn n_006_n_008_n_010_n_012_n_028_n_051_what_is_wrong_is_a_problem_and_starts_nothing() {
    let desk = Desk::open().await;
    let get = desk.engine.app.request(Method::GET, "/v0.1/dispatch").header(AUTHORIZATION, &desk.secret);
    let answer = Answer::of(get).await;
    expect_problem(&answer, 405, "#wrong-verb");
    assert_eq!(answer.header("allow"), Some("POST"));
    expect_problem(&desk.post("/v0.1/nothing", "{}").await, 404, "#not-found");
    for body in ["{", "[]", "", "null"] {
        expect_problem(&desk.post("/v0.1/dispatch", body).await, 400, "#invalid-json");
    }
    let typed = desk.engine.app.request(Method::POST, "/v0.1/dispatch").header(AUTHORIZATION, &desk.secret);
    let typed = typed.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("a=1");
    expect_problem(&Answer::of(typed).await, 415, "#content-type-header");
    let mut wrong = workflow();
    wrong["template"] = "sequence".into();
    wrong["workflow"][1]["to"]["number"] = "+447700900000".into();
    let problem =
        expect_problem(&desk.post("/v0.1/dispatch", &wrong.to_string()).await, 400, "#InvalidParams");
    let names: Vec<_> =
        problem["invalid_parameters"].as_array().unwrap().iter().map(|found| found["name"].clone()).collect();
    assert_eq!(names, ["template", "workflow[1].to.number"]);
    assert!(problem["detail"].as_str().unwrap().contains(" 2 "), "{problem}");
    expect_problem(&desk.post("/v0.1/messages", "{}").await, 400, "#InvalidParams");
    let started: i64 =
        sqlx::query_scalar("select (select count(*) from instances) + (select count(*) from dispatches)")
            .fetch_one(desk.engine.app.store().pool())
            .await
            .unwrap();
    assert_eq!(started, 0);
    desk.engine.finish().await;
}

#[tokio::test]
async fn n_013_n_030_n_043_n_053_n_054_n_074_n_077_a_workflow_from_request_to_signed_report() {
    let desk = Desk::open().await;
    let body = workflow().to_string();
    let accepted = expect_accepted(&desk.post_as(&desk.token, "/v0.1/dispatch?", &body).await);
    let engine = &desk.engine;
    engine.run_until_idle().await;
    let [first] = &engine.endpoint.bodies_at(MESSAGES)[..] else { panic!("one message at first") };
    assert_eq!(first["message"]["content"]["text"], "Grüße 📦");
    assert!(first.get("failover").is_none());
    engine.pass_time(601.0).await;
    let [_, second] = &engine.endpoint.bodies_at(MESSAGES)[..] else { panic!("the second, and no third") };
    assert_eq!(second["to"]["number"], "447700900000");
    let status = json!({"message_uuid": "p", "status": "delivered", "client_ref": second["client_ref"],
        "timestamp": "2026-02-03T04:05:06.117Z", "usage": {"price": "0.0333", "currency": "EUR"}});
    engine.app.webhook_to("message-status", status).await.expect_empty(200);
    engine.run_until_idle().await;

    let told = desk.told("/application", 4).await;
    let of_second: Vec<_> = told.iter().filter(|body| body["message_uuid"] == second["client_ref"]).collect();
    assert_eq!(of_second.len(), 2);
    for body in of_second {
        assert_eq!(
            (&body["client_ref"], &body["to"]["number"]),
            (&json!("order-8812"), &json!("447700900000"))
        );
        assert_eq!(body["_links"]["dispatch"]["dispatch_uuid"], accepted["dispatch_uuid"]);
    }
    let report = told.iter().find(|body| body.get("template").is_some()).unwrap();
    assert_eq!(
        (&report["status"], &report["dispatch_uuid"]),
        (&json!("completed"), &accepted["dispatch_uuid"])
    );
    assert_eq!(report["_links"]["messages"].as_array().unwrap().len(), 2);
    assert!(engine.endpoint.bodies_at("/account").is_empty());
    for request in engine.endpoint.received().iter().filter(|request| request.target == "/application") {
        let authorization = request.header("authorization").unwrap();
        let claims = verify_webhook(SIGNATURE, authorization, &request.body).unwrap();
        assert_eq!(claims.api_key.as_deref(), Some(API_KEY));
        assert_eq!(claims.application_id, Some(desk.application.to_string()));
        assert!(verify_webhook("another", authorization, &request.body).is_err());
    }
    desk.engine.finish().await;
}

#[tokio::test]
async fn what_goes_beyond_the_months_quota_is_refused_before_anything_is_stored() {
    let desk = Desk::open().await;
    let (store, account) = (desk.engine.app.store(), desk.engine.app.account());
    let quota = QuotaChange { allowed: Some(Some(1)), overage: Some(false), overage_price: None };
    assert!(store.change_quota(account, quota, &By::trunkline()).await.unwrap());
    let (message, workflow) = (workflow()["workflow"][1].to_string(), workflow().to_string());
    expect_accepted(&desk.post("/v0.1/dispatch", &workflow).await);
    let stored = async || {
        let stored: i64 =
            sqlx::query_scalar("select (select count(*) from instances) + (select count(*) from dispatches)")
                .fetch_one(store.pool())
                .await
                .unwrap();
        stored
    };
    let before = stored().await;
    for (path, body) in [
        ("/v0.1/dispatch", &workflow),
        ("/beta/workflows", &workflow),
        ("/v0.1/messages", &message),
        ("/beta/messages", &message),
    ] {
        for credential in [&desk.secret, &desk.token] {
            let problem = expect_problem(&desk.post_as(credential, path, body).await, 402, "#low-balance");
            assert_eq!(problem["title"], "Low balance", "{path}");
        }
    }
    assert_eq!(stored().await, before);
    // What is wrong is told first.
    expect_problem(&desk.post("/v0.1/dispatch", "{}").await, 400, "#InvalidParams");
    desk.engine.run_until_idle().await;
    desk.engine.finish().await;
}

#[tokio::test]
async fn n_070_n_074_a_workflow_of_the_first_era_is_told_to_the_account_in_its_names() {
    let desk = Desk::open().await;
    let mut body = workflow();
    body["workflow"].as_array_mut().unwrap().remove(0);
    let accepted = expect_accepted(&desk.post("/beta/workflows", &body.to_string()).await);
    desk.engine.run_until_idle().await;
    let told = desk.told("/account", 1).await;
    assert_eq!(told[0]["_links"]["workflow"]["workflow_uuid"], accepted["workflow_uuid"]);
    desk.engine.finish().await;
}

#[tokio::test]
async fn a_message_by_itself_is_sent_and_its_statuses_are_told_without_links() {
    let desk = Desk::open().await;
    let body = workflow()["workflow"][1].to_string();
    for path in ["/v0.1/messages?", "/beta/messages"] {
        let accepted = expect_accepted(&desk.post(path, &body).await);
        desk.engine.run_until_idle().await;
        let sent = desk.engine.endpoint.bodies_at(MESSAGES).pop().unwrap();
        assert_eq!(sent["client_ref"], accepted["message_uuid"]);
    }
    let told = desk.told("/account", 2).await;
    assert!(
        told.iter().all(|body| body.get("_links").is_none() && body["status"] == "submitted"),
        "{told:?}"
    );
    desk.engine.finish().await;
}

#[tokio::test]
async fn n_007_what_callbacks_link_to_loads_for_its_account_and_nobody_else() {
    let desk = Desk::open().await;
    let get = async |path: String| {
        let request = desk.engine.app.request(Method::GET, &path).header(AUTHORIZATION, &desk.secret);
        Answer::of(request).await
    };
    let id =
        expect_accepted(&desk.post("/v0.1/dispatch", &workflow().to_string()).await)["dispatch_uuid"].clone();
    desk.engine.run_until_idle().await;
    let told = desk.told("/account", 1).await.remove(0);
    let shown = get(format!("/{}", told["_links"]["dispatch"]["href"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&shown["dispatch_uuid"], &shown["status"], &shown["ended_at"]),
        (&id, &json!("running"), &Value::Null)
    );
    let [message] = &shown["_links"]["messages"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!((&message["message_uuid"], &message["status"]), (&told["message_uuid"], &json!("submitted")));
    let message = get(format!("/{}", message["href"].as_str().unwrap())).await.expect(200);
    assert_eq!((&message["to"], &message["dispatch_uuid"]), (&told["to"], &id));
    for path in ["/v0.1/dispatch/", "/v0.1/messages/"] {
        expect_problem(&get(format!("{path}{}", Uuid::new_v4())).await, 404, "#not-found");
        expect_problem(&get(format!("{path}x")).await, 404, "#not-found");
    }

    let listed = async |query: &str| {
        get(format!("/v0.1/dispatches{query}")).await.expect(200)["_embedded"]["dispatches"].clone()
    };
    assert_eq!(listed("").await[0]["dispatch_uuid"], id);
    assert_eq!(listed("?status=completed").await, json!([]));
    let wrong = get("/v0.1/dispatches?status=on&page=0".to_owned()).await;
    assert_eq!(
        expect_problem(&wrong, 400, "#InvalidParams")["invalid_parameters"].as_array().unwrap().len(),
        2
    );

    let path = format!("/v0.1/dispatch/{}", id.as_str().unwrap());
    for _ in 0..2 {
        let cancel = desk.engine.app.request(Method::DELETE, &path).header(AUTHORIZATION, &desk.secret);
        Answer::of(cancel).await.expect_status(204);
    }
    assert_eq!(get(path).await.expect(200)["status"], "cancelled");
    desk.engine.pass_time(601.0).await;
    assert_eq!(desk.engine.endpoint.bodies_at(MESSAGES).len(), 1);
    assert_eq!(listed("?status=cancelled").await[0]["dispatch_uuid"], id);

    // One whose instance was removed between the two looks at it.
    let pool = desk.engine.app.store().pool();
    let gone: Uuid = sqlx::query_scalar(
        "insert into dispatches (id, account_id, instance_id, flavour)
         values (gen_random_uuid(), $1, decode(repeat('00', 12), 'hex'), 'dispatch')
         returning id",
    )
    .bind(desk.engine.app.account().as_str())
    .fetch_one(pool)
    .await
    .unwrap();
    let path = format!("/v0.1/dispatch/{gone}");
    let cancel = desk.engine.app.request(Method::DELETE, &path).header(AUTHORIZATION, &desk.secret);
    expect_problem(&Answer::of(cancel).await, 404, "#not-found");
    sqlx::query("delete from dispatches where id = $1").bind(gone).execute(pool).await.unwrap();
    desk.engine.finish().await;
}

/// They are shown like others, and nobody changes, deletes or starts them.
#[tokio::test]
async fn the_definitions_of_workflows_are_ours() {
    let site = Site::start().await;
    for id in [DEFINITION, MESSAGE_DEFINITION] {
        let path = format!("/definitions/{id}");
        for answer in [
            site.app.put(&path, sample::pong()).await,
            site.app.delete(&path).await,
            site.app.delete(&format!("{path}?version=1")).await,
            site.app.post(&format!("{path}/workflows"), json!({})).await,
        ] {
            let message = answer.expect_error(403, 1201);
            assert_eq!(
                message,
                format!("Definition {id} is Trunkline's own: nobody changes, deletes or starts it.")
            );
        }
    }
}
