//! Ids of another account are ids that nobody has, to the byte.

use reqwest::header::AUTHORIZATION;
use serde_json::json;
use uuid::Uuid;

use super::world::{Callers, Operation, World, comparable};
use crate::support::Answer;

/// One that nobody has, of the same form.
fn like(id: &str) -> String {
    let random = Uuid::new_v4();
    if id.contains('-') { random.to_string() } else { random.simple().to_string()[..id.len()].to_owned() }
}

fn opened(callers: Callers) -> bool {
    matches!(callers, Callers::Key | Callers::Workflows { .. })
}

#[tokio::test]
async fn another_accounts_ids_in_a_path_are_ids_that_nobody_has() {
    let world = World::build().await;
    let mut tried = 0;
    for operation in world.operations(opened) {
        for name in operation.ids() {
            let (own, foreign) =
                (world.own.id(operation.thing(name)), world.foreign.id(operation.thing(name)));
            let missing = like(foreign);
            let path = world.own.path(operation);
            assert!(path.contains(own));
            let before = world.contents().await;
            let ask = async |id: &str| {
                let path = path.replace(own, id);
                let answer = world.call(operation, &path, world.own.authorization(operation)).await;
                (answer.status.as_u16(), comparable(&answer, &[id, own]))
            };
            let (of_foreign, of_missing) = (ask(foreign).await, ask(&missing).await);
            assert_eq!(of_foreign, of_missing, "{} {name}", operation.id);
            let is_list =
                ["get-workflow-instances", "get-specific-definition"].contains(&operation.id.as_str());
            assert!(of_foreign.0 == 404 || is_list, "{} {name}: {of_foreign:?}", operation.id);
            for id in world.foreign.ids() {
                assert!(!of_foreign.1.contains(id), "{} {of_foreign:?}", operation.id);
            }
            assert_eq!(world.contents().await, before, "{} {name} changed something", operation.id);
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried}");
    // And all of them at once.
    for operation in world.operations(opened).filter(|operation| !operation.ids().is_empty()) {
        let path = world.foreign.path(operation).replace("/accounts/other", "/accounts/acme");
        let answer = world.call(operation, &path, world.own.authorization(operation)).await;
        let is_nothing = answer.status == 404 || answer.text == "[]";
        assert!(is_nothing, "{} {answer:?}", operation.id);
    }
}

#[tokio::test]
async fn another_accounts_ids_in_a_query_find_nothing() {
    let world = World::build().await;
    for operation in world.operations(opened).filter(|operation| operation.changes_nothing()) {
        for parameter in operation.described["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap().replace("{path}", "order");
            for foreign in world.foreign.ids() {
                let ask = async |id: &str| {
                    let path = format!("{}?{name}={id}", world.own.path(operation));
                    let answer = world.call(operation, &path, world.own.authorization(operation)).await;
                    comparable(&answer, &[id])
                };
                assert_eq!(ask(foreign).await, ask(&like(foreign)).await, "{} {name}", operation.id);
            }
        }
    }
}

/// What somebody sees is his own.
#[tokio::test]
async fn no_list_shows_anything_of_another_account() {
    let world = World::build().await;
    let mut seen = 0;
    for operation in world.operations(opened).filter(|operation| operation.method == reqwest::Method::GET) {
        let answer =
            world.call(operation, &world.own.path(operation), world.own.authorization(operation)).await;
        assert!(answer.status.is_success(), "{} {answer:?}", operation.id);
        for foreign in world.foreign.ids().chain([world.foreign.api_key.as_str()]) {
            assert!(!answer.text.contains(foreign), "{} shows {foreign}: {answer:?}", operation.id);
        }
        seen += usize::from(world.own.ids().any(|id| answer.text.contains(id)));
    }
    assert!(seen >= 8, "{seen}");
}

#[tokio::test]
async fn another_accounts_instances_in_a_batch_are_instances_that_nobody_has() {
    let world = World::build().await;
    let create: &Operation = world.operations.iter().find(|one| one.id == "create-batch").unwrap();
    let foreign = [world.foreign.id("instance"), world.foreign.id("failed instance")].map(str::to_owned);
    let missing = foreign.clone().map(|id| like(&id));
    for action in [json!({"action": "rerun"}), json!({"action": "terminate"}), json!({"action": "suspend"})] {
        for dry_run in [true, false] {
            let ask = async |ids: &[String; 2]| {
                let mut body = action.clone();
                body["instances"] = json!(ids);
                body["dryRun"] = json!(dry_run);
                let request = world.app.request(create.method.clone(), &world.own.path(create)).json(&body);
                let answer = Answer::of(request.header(AUTHORIZATION, &world.own.key)).await;
                let made = serde_json::from_str::<serde_json::Value>(&answer.text).unwrap();
                let id = made["batchId"].as_str().unwrap_or("no batch").to_owned();
                // Whatever it says but for when and which one it is.
                let text = answer
                    .text
                    .replace(&id, "ID")
                    .replace(made["createdAt"].as_str().unwrap_or("no time"), "");
                (answer.status, text)
            };
            assert_eq!(ask(&foreign).await, ask(&missing).await, "{action}");
        }
    }
    // By a filter neither.
    let ask = async |id: &str| {
        let filter = json!({"definitionId": id});
        let answer = world
            .app
            .post("/batches", json!({"action": "terminate", "dryRun": true, "filter": filter}))
            .await;
        comparable(&answer, &[id])
    };
    let definition = world.foreign.id("definition");
    assert_eq!(ask(definition).await, ask(&like(definition)).await);
}
