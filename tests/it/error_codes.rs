//! Every code that the API answers with, and its text (spec 2.17.1), wherever a client may meet it.

use std::num::NonZeroU32;

use reqwest::Method;
use serde_json::{Value, json};
use trunkline::api::ApiConfig;

use crate::support::{Answer, TestApp, sample};

const UNKNOWN: &str = "0b9f3a52-6a0e-4c55-9a0a-3c1d2f6e7b10";
const UNKNOWN_INSTANCE: &str = "0123456789abcdef01234567";

/// The operations on a definition, with `definition` in their paths, and a body that is none of the problem.
fn of_definition(definition: &str) -> Vec<(Method, String, Option<Value>)> {
    let instance = format!("/definitions/{definition}/workflows/{UNKNOWN_INSTANCE}");
    vec![
        (Method::PUT, format!("/definitions/{definition}"), Some(sample::pong())),
        (Method::DELETE, format!("/definitions/{definition}"), None),
        (Method::GET, format!("/definitions/{definition}/workflows"), None),
        (Method::POST, format!("/definitions/{definition}/workflows"), Some(json!({}))),
        (Method::GET, instance.clone(), None),
        (Method::PATCH, instance.clone(), Some(json!({"status": "suspend"}))),
        (Method::GET, format!("{instance}/errors"), None),
    ]
}

async fn call(app: &TestApp, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = app.account_request(method, path);
    Answer::of(if let Some(body) = body { request.json(&body) } else { request }).await
}

#[tokio::test]
async fn code_5001_names_what_is_wrong_with_a_definition() {
    let app = TestApp::start().await;
    let saved = app.define(sample::pong()).await;
    let mut nameless = sample::pong();
    nameless["definition"]["name"] = Value::Null;
    let created = app.post("/definitions", nameless.clone()).await;
    assert_eq!(created.expect_error(400, 5001), "Workflow name is required.");
    let updated = app.put(&format!("/definitions/{saved}"), nameless).await;
    assert_eq!(updated.expect_error(400, 5001), "Workflow name is required.");
}

#[tokio::test]
async fn code_1000_names_the_parameter() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    for (method, path, body) in of_definition("not-a-uuid") {
        let answer = call(&app, method.clone(), &path, body).await;
        assert_eq!(answer.expect_error(400, 1000), "Invalid definition id.", "{method} {path}");
    }
    let history = app.get("/definitions/not-a-uuid").await;
    assert_eq!(history.expect_error(400, 1000), "Invalid definition id.");

    let malformed = format!("/definitions/{id}/workflows/{}", &UNKNOWN_INSTANCE[1..]);
    for (method, path, body) in [
        (Method::GET, malformed.clone(), None),
        (Method::PATCH, malformed.clone(), Some(json!({"status": "suspend"}))),
        (Method::GET, format!("{malformed}/errors"), None),
    ] {
        let answer = call(&app, method.clone(), &path, body).await;
        assert_eq!(answer.expect_error(400, 1000), "Invalid workflow id.", "{method} {path}");
    }

    let instance = app.start_instance(&id, json!({})).await;
    let instances = format!("/definitions/{id}/workflows");
    for (path, name) in [
        ("/definitions?limit=0".to_owned(), "limit"),
        ("/definitions?limit=501".to_owned(), "limit"),
        (format!("/definitions/{id}?limit=x"), "limit"),
        ("/definitions?offset=-1".to_owned(), "offset"),
        ("/definitions?status=on".to_owned(), "status"),
        (format!("{instances}?status=on"), "status"),
        (format!("{instances}?version=0"), "version"),
        (format!("{instances}?startTimeFrom=x"), "startTimeFrom"),
        (format!("{instances}?startTimeTo=x"), "startTimeTo"),
        (format!("{instance}?includeLogs=x"), "includeLogs"),
    ] {
        assert_eq!(app.get(&path).await.expect_error(400, 1000), format!("Invalid {name}."), "{path}");
    }
    for path in [format!("{instances}?version=0"), format!("{instances}?version=x")] {
        assert_eq!(app.post(&path, json!({})).await.expect_error(400, 1000), "Invalid version.");
    }
    let unknown = app.patch(&instance, json!({"status": "pause"})).await;
    assert_eq!(unknown.expect_error(400, 1000), "Invalid status.");
    let body = app.post(&instances, json!([])).await;
    assert_eq!(body.expect_error(400, 1000), "Invalid request body. It must be an object.");
}

#[tokio::test]
async fn code_1000_names_the_status_that_forbids_a_command() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    let workflow = path.rsplit('/').next().unwrap();
    for (into, command, participle, status) in [
        (None, "resume", "resumed", "Runnable"),
        (Some("suspend"), "suspend", "suspended", "Suspended"),
        (Some("terminate"), "suspend", "suspended", "Terminated"),
        (None, "resume", "resumed", "Terminated"),
        (None, "terminate", "terminated", "Terminated"),
    ] {
        if let Some(into) = into {
            app.patch(&path, json!({"status": into})).await.expect_empty(200);
        }
        let refused = app.patch(&path, json!({"status": command})).await.expect_error(400, 1000);
        assert_eq!(refused, format!("Workflow {workflow} cannot be {participle} because it is {status}."));
    }
}

#[tokio::test]
async fn code_1300_names_what_is_not_there() {
    let app = TestApp::start().await;
    for (method, path, body) in of_definition(UNKNOWN) {
        let answer = call(&app, method.clone(), &path, body).await;
        let message = answer.expect_error(404, 1300);
        assert_eq!(message, format!("Definition {UNKNOWN} not found."), "{method} {path}");
    }
    let id = app.define(sample::pong()).await;
    let others = app.define(sample::pong()).await;
    let theirs = app.start_instance(&others, json!({})).await;
    let theirs = theirs.rsplit('/').next().unwrap();
    for workflow in [UNKNOWN_INSTANCE, theirs] {
        let path = format!("/definitions/{id}/workflows/{workflow}");
        for (method, path, body) in [
            (Method::GET, path.clone(), None),
            (Method::PATCH, path.clone(), Some(json!({"status": "suspend"}))),
            (Method::GET, format!("{path}/errors"), None),
        ] {
            let answer = call(&app, method.clone(), &path, body).await;
            let message = answer.expect_error(404, 1300);
            assert_eq!(message, format!("Workflow {workflow} not found."), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn codes_1200_1201_and_429_say_who_may_call_and_how_often() {
    let app = TestApp::start_with(ApiConfig { rate_limit: NonZeroU32::new(1), ..ApiConfig::default() }).await;
    let (_, foreign) = app.other_account("other").await;
    let request = || app.request(Method::GET, "/api/v1/accounts/acme/definitions");
    let stranger = Answer::of(request()).await;
    assert_eq!(stranger.expect_error(401, 1200), "Request was not authenticated properly");
    assert_eq!(stranger.header("www-authenticate"), Some("Bearer"));
    let neighbour = Answer::of(request().bearer_auth(foreign)).await;
    assert_eq!(neighbour.expect_error(403, 1201), "Access forbidden");
    let owner = || Answer::of(request().bearer_auth(app.key()));
    let answers = futures::future::join_all((0..10).map(|_| owner())).await;
    let hasty = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(hasty.expect_error(429, 429), "Quota exceeded. Please try again in 1 second(s).");
    assert_eq!(hasty.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn code_2000_says_nothing_about_our_defects() {
    let app = TestApp::start().await;
    let id = app.define(sample::pong()).await;
    let path = app.start_instance(&id, json!({})).await;
    sqlx::query("update instances set data = 'secret'").execute(app.store().pool()).await.unwrap();
    assert_eq!(app.get(&path).await.expect_error(500, 2000), "Internal server error");
}
