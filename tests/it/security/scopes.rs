//! Every operation of an account, with a key of each scope. Which scope each needs is in `operations/scopes.rs`.

use trunkline_store::audit::By;
use trunkline_store::keys::{KeySecret, NewKey, Scope};

use super::world::{Callers, World};

#[tokio::test]
async fn a_viewer_changes_nothing_and_no_scope_can_less_than_a_lower_one() {
    let world = World::build().await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        let secret = KeySecret::from_random(rand::random());
        let new = NewKey { name: scope.as_str(), scope, lifetime: None };
        world
            .app
            .store()
            .create_key(world.app.account(), &new, &secret, &By::trunkline())
            .await
            .unwrap()
            .unwrap();
        keys.push((scope, format!("Bearer {}", secret.reveal())));
    }
    keys.sort_by_key(|(scope, _)| *scope);
    assert_eq!((keys[0].0, keys.last().unwrap().0), (Scope::Viewer, Scope::Admin));
    let table = include_str!("../operations/scopes.rs");
    for operation in world.operations(|callers| callers == Callers::Key) {
        let path = world.own.path(operation);
        let mut was_allowed = false;
        for (scope, key) in &keys {
            let before = world.contents().await;
            let answer = world.call(operation, &path, key).await;
            let is_allowed = answer.status != 403;
            assert!(is_allowed || !was_allowed, "{} is refused for {scope:?}: {answer:?}", operation.id);
            was_allowed = is_allowed;
            if !is_allowed {
                assert!(answer.expect_error(403, 1201).contains("the key has scope"), "{answer:?}");
                assert_eq!(world.contents().await, before, "{} {scope:?}", operation.id);
            }
            if *scope == Scope::Viewer {
                assert_eq!(is_allowed, operation.changes_nothing(), "{} as a viewer", operation.id);
            }
        }
        assert!(was_allowed, "nobody may do {}", operation.id);
    }
    // The one who reads the table finds every change there: by the last word of its path.
    for operation in world.operations(|callers| callers == Callers::Key) {
        if !operation.changes_nothing() {
            let last = operation.template.rsplit('/').find(|part| !part.contains('{')).unwrap();
            assert!(table.contains(last), "operations/scopes.rs does not know `{last}` of {}", operation.id);
        }
    }
}
