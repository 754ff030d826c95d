//! What a key may do, and until when.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use trunkline_store::audit::By;
use trunkline_store::keys::{Key, KeySecret, NewKey, Scope};

use crate::support::{Answer, TestApp, sample};

async fn key(app: &TestApp, scope: Scope, lifetime: Option<Duration>) -> (Key, String) {
    let secret = KeySecret::from_random(rand::random());
    let new = NewKey { name: scope.as_str(), scope, lifetime };
    let key = app.store().create_key(app.account(), &new, &secret, &By::trunkline()).await.unwrap();
    (key.unwrap(), secret.reveal().to_owned())
}

async fn call(app: &TestApp, key: &str, method: Method, path: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/accounts/{}{path}", app.account());
    let request = app.request(method.clone(), &path).bearer_auth(key);
    Answer::of(if method == Method::GET { request } else { request.json(body) }).await
}

#[tokio::test]
async fn each_operation_needs_its_scope_and_no_more() {
    let app = TestApp::start().await;
    let definition = app.define(sample::pong()).await;
    let workflows = format!("/definitions/{definition}/workflows");
    let instance = app.start_instance(&definition, json!({})).await;
    let id = instance.rsplit('/').next().unwrap();
    let batch = "/batches/00000000-0000-0000-0000-000000000000".to_owned();
    // Each is as good as done but for the scope: the statuses are of what is wrong with it else.
    let operations = [
        (Scope::Viewer, Method::GET, "/definitions".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, format!("/definitions/{definition}"), json!(null), 200),
        (Scope::Viewer, Method::POST, "/definitions/validate".to_owned(), json!({}), 200),
        (Scope::Viewer, Method::GET, workflows.clone(), json!(null), 200),
        (Scope::Viewer, Method::GET, instance.clone(), json!(null), 200),
        (Scope::Viewer, Method::GET, format!("{instance}/errors"), json!(null), 200),
        (Scope::Viewer, Method::GET, "/instances".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, format!("/instances/{id}"), json!(null), 200),
        (Scope::Viewer, Method::GET, "/batches".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, batch.clone(), json!(null), 404),
        (Scope::Viewer, Method::GET, format!("{batch}/items"), json!(null), 404),
        (Scope::Viewer, Method::GET, format!("/instances/{id}/history"), json!(null), 200),
        (Scope::Viewer, Method::GET, "/history-policy".to_owned(), json!(null), 200),
        (Scope::Admin, Method::PUT, "/history-policy".to_owned(), json!({"bodies": "no"}), 400),
        (Scope::Viewer, Method::GET, "/audit".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, "/steps/timezones".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, "/steps/functions".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, "/usage".to_owned(), json!(null), 200),
        (Scope::Operator, Method::POST, workflows, json!({}), 201),
        (Scope::Operator, Method::PATCH, instance.clone(), json!({"status": "nothing"}), 400),
        (Scope::Operator, Method::POST, format!("/instances/{id}/rerun"), json!({}), 400),
        (Scope::Operator, Method::POST, "/batches".to_owned(), json!({}), 400),
        (Scope::Operator, Method::PATCH, batch.clone(), json!({"command": "pause"}), 404),
        (Scope::Operator, Method::POST, "/triggers/http_request".to_owned(), json!({}), 200),
        (Scope::Viewer, Method::GET, "/limits".to_owned(), json!(null), 200),
        (Scope::Viewer, Method::GET, format!("/definitions/{definition}/state"), json!(null), 200),
        (Scope::Operator, Method::POST, format!("/definitions/{definition}/pause"), json!({}), 200),
        (Scope::Operator, Method::POST, format!("/definitions/{definition}/drain"), json!({}), 200),
        (Scope::Operator, Method::POST, format!("/definitions/{definition}/resume"), json!({}), 200),
        (Scope::Author, Method::PUT, "/limits".to_owned(), json!({"rate": []}), 400),
        (Scope::Author, Method::POST, "/definitions".to_owned(), json!({}), 400),
        (Scope::Author, Method::PUT, format!("/definitions/{definition}"), json!({}), 400),
        (Scope::Author, Method::DELETE, format!("/definitions/{definition}?version=7"), json!(null), 404),
    ];
    for scope in Scope::ALL {
        let (_, key) = key(&app, scope, None).await;
        for (needed, method, path, body, status) in &operations {
            let answer = call(&app, &key, method.clone(), path, body).await;
            if scope >= *needed {
                assert_eq!(answer.status, *status, "{scope:?} {method} {path}");
            } else {
                let message = answer.expect_error(403, 1201);
                let (has, needs) = (scope.as_str(), needed.as_str());
                let expected =
                    format!("Access forbidden: the key has scope `{has}`, and this needs `{needs}`.");
                assert_eq!(message, expected, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_expired_opens_nothing() {
    let app = TestApp::start().await;
    let (expired, secret) = key(&app, Scope::Admin, Some(Duration::ZERO)).await;
    assert!(expired.expires_at.is_some());
    call(&app, &secret, Method::GET, "/definitions", &json!(null)).await.expect_error(401, 1200);
    let (_, secret) = key(&app, Scope::Admin, Some(Duration::from_secs(3600))).await;
    call(&app, &secret, Method::GET, "/definitions", &json!(null)).await.expect(200);
}

#[tokio::test]
async fn a_rotated_key_works_beside_its_successor_for_a_while() {
    let app = TestApp::start().await;
    let day = Duration::from_secs(86_400);
    let (old, old_secret) = key(&app, Scope::Operator, Some(30 * day)).await;
    let rotate = async |overlap| {
        let secret = KeySecret::from_random(rand::random());
        let rotated = app.store().rotate_key(old.id, overlap, &secret, &By::trunkline()).await.unwrap();
        rotated.map(|key| (key, secret.reveal().to_owned()))
    };
    let (new, new_secret) = rotate(day).await.unwrap();
    assert_eq!((new.name.as_str(), new.scope), ("operator", Scope::Operator));
    assert_eq!(new.expires_at.unwrap() - new.created_at, chrono::TimeDelta::days(30));
    for secret in [&old_secret, &new_secret] {
        call(&app, secret, Method::GET, "/definitions", &json!(null)).await.expect(200);
    }
    let ending = |keys: Vec<Key>| keys.into_iter().find(|key| key.id == old.id).unwrap().expires_at.unwrap();
    let in_a_day = ending(app.store().list_keys(app.account()).await.unwrap());
    assert!(in_a_day < new.created_at + chrono::TimeDelta::days(1) + chrono::TimeDelta::seconds(1));
    // A longer overlap does not lengthen its life, and at once is at once.
    rotate(10 * day).await.unwrap();
    assert_eq!(ending(app.store().list_keys(app.account()).await.unwrap()), in_a_day);
    rotate(Duration::ZERO).await.unwrap();
    assert_eq!(rotate(day).await, None);
}
