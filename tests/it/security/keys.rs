//! Every operation, with no key and with keys that are no good.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use serde_json::json;
use trunkline_store::audit::By;
use trunkline_store::keys::{KeySecret, NewKey, Scope};
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use uuid::Uuid;

use super::world::{Callers, Operation, World, comparable};
use crate::nexmo::site::{basic, claims, expect_problem, keys, now, token};
use crate::support::Answer;

/// The answers of all of them to all of these are one; `None`: without the header.
async fn expect_one_answer(
    world: &World,
    operations: &[&Operation],
    paths: impl Fn(&Operation) -> Vec<String>,
    credentials: &[Option<String>],
) -> String {
    assert!(!operations.is_empty());
    let before = world.contents().await;
    let mut said: Vec<String> = Vec::new();
    for operation in operations {
        for path in paths(operation) {
            for credential in credentials {
                let mut request = world.request(operation, &path);
                if let Some(credential) = credential {
                    request = request.header(AUTHORIZATION, credential.as_bytes());
                }
                let answer = comparable(&Answer::of(request).await, &[]);
                if !said.contains(&answer) {
                    said.push(answer);
                }
                assert_eq!(said.len(), 1, "{} {path} with {credential:?}: {said:#?}", operation.id);
            }
        }
    }
    assert_eq!(world.contents().await, before, "somebody without a key changed something");
    said.remove(0)
}

/// An account's path, and that of one that nobody has.
fn of_somebody_and_nobody(world: &World, operation: &Operation) -> Vec<String> {
    let path = world.own.path(operation);
    let nobodys = path.replace("/accounts/acme", "/accounts/nobody");
    vec![path, nobodys]
}

async fn key_that_ended(world: &World, lifetime: Option<Duration>) -> String {
    let (store, by) = (world.app.store(), By::trunkline());
    let secret = KeySecret::from_random(rand::random());
    let new = NewKey { name: "ended", scope: Scope::Admin, lifetime };
    let key = store.create_key(world.app.account(), &new, &secret, &by).await.unwrap().unwrap();
    if lifetime.is_none() {
        assert!(store.revoke_key(key.id, &by).await.unwrap());
    }
    secret.reveal().to_owned()
}

#[tokio::test]
async fn no_operation_of_an_account_opens_without_a_key_in_force() {
    let world = World::build().await;
    let good = world.app.key();
    let revoked = key_that_ended(&world, None).await;
    let expired = key_that_ended(&world, Some(Duration::ZERO)).await;
    let unknown = KeySecret::from_random([7; 32]).reveal().to_owned();
    let mut credentials = vec![None];
    for key in [&revoked, &expired, &unknown] {
        credentials.push(Some(format!("Bearer {key}")));
    }
    let swapped: String = good.chars().rev().collect();
    for malformed in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        good.to_owned(),
        format!("Basic {good}"),
        format!("Token {good}"),
        format!("Bearer: {good}"),
        format!("Bearer{good}"),
        format!("Bearer \"{good}\""),
        format!("Bearer {good},{good}"),
        format!("Bearer {good} x"),
        format!("Bearer {good}\u{a0}"),
        format!("Bearer {good}x"),
        format!("Bearer {}", &good[..good.len() - 1]),
        format!("Bearer {}", good.to_uppercase()),
        format!("Bearer {swapped}"),
        format!("Bearer {}", "x".repeat(4_000)),
        "Bearer ü".to_owned(),
        "Bearer ' or '1'='1".to_owned(),
        world.own.secret.clone(),
        world.own.webhook.clone(),
    ] {
        credentials.push(Some(malformed));
    }
    let operations: Vec<&Operation> = world.operations(|callers| callers == Callers::Key).collect();
    let said =
        expect_one_answer(&world, &operations, |one| of_somebody_and_nobody(&world, one), &credentials).await;
    assert!(said.starts_with("401 ") && said.contains("1200"), "{said}");

    // A key is nowhere but in its header.
    let elsewhere = |operation: &Operation| {
        let path = world.own.path(operation);
        ["access_token", "api_key", "key", "token", "Authorization"]
            .map(|name| format!("{path}?{name}={good}"))
            .to_vec()
    };
    assert_eq!(expect_one_answer(&world, &operations, elsewhere, &[None]).await, said);
    for operation in &operations {
        let path = world.own.path(operation);
        for header in
            ["x-api-key", "proxy-authorization", "x-authorization", "cookie", "x-forwarded-authorization"]
        {
            let request = world.request(operation, &path).header(header, format!("Bearer {good}"));
            assert_eq!(comparable(&Answer::of(request).await, &[]), said, "{} {header}", operation.id);
        }
    }
}

/// Nor is he told whether there is such an account.
#[tokio::test]
async fn a_key_of_another_account_is_told_the_same_of_every_account() {
    let world = World::build().await;
    let operations: Vec<&Operation> = world.operations(|callers| callers == Callers::Key).collect();
    let key = Some(world.foreign.key.clone());
    let said =
        expect_one_answer(&world, &operations, |one| of_somebody_and_nobody(&world, one), &[key]).await;
    assert!(said.starts_with("403 ") && said.contains("\"Access forbidden\""), "{said}");
}

#[tokio::test]
async fn no_operation_of_the_workflows_api_opens_without_a_secret_or_a_token() {
    let world = World::build().await;
    let (store, account, by) = (world.app.store(), world.app.account(), By::trunkline());
    let revoked = ApiSecret::from_random(rand::random());
    let AddedSecret::Added(id) = store.add_secret(account, &revoked, &by).await.unwrap() else { panic!() };
    assert!(store.revoke_secret(id, &by).await.unwrap());
    let [key, strange] = keys().await;
    let application: Uuid = world.own.id("application").parse().unwrap();
    let good = token(key, &claims(application, json!({})));
    let flipped = good.replace("Bearer ey", "Bearer eY");
    let others = world.foreign.secret.strip_prefix("Basic ").unwrap();
    let credentials: Vec<Option<String>> = vec![
        None,
        Some(String::new()),
        Some("Basic".to_owned()),
        Some("Bearer".to_owned()),
        Some(basic(&world.own.api_key, revoked.reveal())),
        Some(basic(&world.own.api_key, "")),
        Some(basic(&world.foreign.api_key, "wrong")),
        Some(basic("ffffffff", revoked.reveal())),
        Some(format!("Basic {others}x")),
        Some(world.own.key.clone()),
        Some(world.own.webhook.clone()),
        Some(flipped),
        Some(format!("{good}x")),
        Some(good[..=good.rfind('.').unwrap()].to_owned()),
        Some(token(strange, &claims(application, json!({})))),
        Some(token(key, &claims(Uuid::new_v4(), json!({})))),
        Some(token(key, &claims(application, json!({"nbf": now() + 600})))),
    ];
    let operations: Vec<&Operation> =
        world.operations(|callers| matches!(callers, Callers::Workflows { .. })).collect();
    let own = |operation: &Operation| vec![world.own.path(operation)];
    let said = expect_one_answer(&world, &operations, own, &credentials).await;
    assert!(said.starts_with("401 ") && said.contains("#unauthorized"), "{said}");
    for operation in operations {
        let path = world.own.path(operation);
        let expired = token(key, &claims(application, json!({"iat": now() - 10_000, "exp": now() - 5_000})));
        expect_problem(&world.call(operation, &path, &expired).await, 401, "#jwt-expired");
        let only_secrets = operation.callers == Callers::Workflows { tokens: false };
        let reached = world.call(operation, &path, &good).await.status;
        assert_eq!(reached == 401, only_secrets, "{} {reached}", operation.id);
    }
}

#[tokio::test]
async fn no_webhook_takes_anything_from_strangers() {
    let world = World::build().await;
    let mut credentials = vec![None];
    for secret in [
        String::new(),
        "Basic".to_owned(),
        world.foreign.webhook.clone(),
        world.own.key.clone(),
        world.own.secret.clone(),
        world.own.webhook.to_uppercase(),
        format!("{}x", world.own.webhook),
        world.own.webhook[..world.own.webhook.len() - 1].to_owned(),
        world.own.webhook.strip_prefix("Basic ").unwrap().to_owned(),
    ] {
        credentials.push(Some(secret));
    }
    let operations: Vec<&Operation> = world.operations(|callers| callers == Callers::Webhook).collect();
    let paths = |operation: &Operation| {
        let mut paths = of_somebody_and_nobody(&world, operation);
        paths.extend(["", "x", "00"].map(|token| format!("{}?token={token}", world.own.path(operation))));
        paths
    };
    let said = expect_one_answer(&world, &operations, paths, &credentials).await;
    assert!(said.starts_with("401 ") && said.contains("1200"), "{said}");
}

/// What needs no key tells nothing of anybody.
#[tokio::test]
async fn what_is_open_to_anybody_tells_nothing_of_an_account() {
    let world = World::build().await;
    let open: Vec<&Operation> = world.operations(|callers| callers == Callers::Anybody).collect();
    let names: Vec<&str> = open.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(names, ["definition-schema", "healthz", "readyz"], "who else needs no key?");
    for operation in open {
        let answer = Answer::of(world.request(operation, &operation.template)).await;
        assert_eq!(answer.status, 200);
        let told = |text: &str| answer.text.contains(text);
        assert!(!world.own.ids().chain(world.foreign.ids()).any(told), "{answer:?}");
    }
}
