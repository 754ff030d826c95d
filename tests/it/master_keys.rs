//! Which master key is the database's, and how another takes over (U-65).

use serde_json::json;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, ListedSecret, NewConnector, NewSignature};
use trunkline_store::reseal::{Left, LostKey, Resealed, Unsealed};
use trunkline_store::sealing::MasterKeys;
use trunkline_store::{Store, StoreError};

use crate::credentials::{webhook, with_secret};
use crate::support::{MASTER_KEY, TestApp, WEBHOOK_SECRET, open_store, until};

const NEW_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// One that knows nothing from before, with these keys in this order.
fn open_with(app: &TestApp, keys: &[&str]) -> Store {
    let keys = MasterKeys::parse(&keys.join(",")).unwrap();
    Store::open(app.database_url(), 3).unwrap().with_master_keys(keys)
}

/// The ids of the keys that the webhook secrets are sealed with, by account.
async fn sealed_with(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("select split_part(secret, '.', 2) from webhook_settings order by account_id")
        .fetch_all(app.store().pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_new_master_key_in_front_of_the_old_one_takes_over_once_everything_is_resealed() {
    let app = TestApp::start().await;
    let account = app.account();
    let kind = ConnectorKind::EightByEight;
    let settings = json!({"region": "europe"});
    for subaccount in [None, Some("shop")] {
        let new = NewConnector { account, kind, subaccount, settings: &settings, secret: Some("key-1") };
        let signature = NewSignature::Secret("signed-1");
        assert!(app.store().set_signing_connector(new, signature, &By::trunkline()).await.unwrap());
    }
    // Nothing to show is no reason not to sign.
    let messages_api = ConnectorKind::MessagesApi;
    let new =
        NewConnector { account, kind: messages_api, subaccount: None, settings: &settings, secret: None };
    let signature = NewSignature::Secret("signed-2");
    assert!(app.store().set_signing_connector(new, signature, &By::trunkline()).await.unwrap());
    // More than a batch.
    let definition = app.define(with_secret()).await.parse().unwrap();
    for _ in 0..60 {
        app.put(&format!("/definitions/{definition}"), with_secret()).await.expect(200);
    }
    assert!(
        app.store().rotate_webhook_secret(account, "Bearer next", &By::trunkline()).await.unwrap().is_some()
    );

    let rotated = open_with(&app, &[NEW_KEY, MASTER_KEY]);
    assert_eq!(rotated.webhook_secret(account).await.unwrap().as_deref(), Some("Bearer next"));
    assert!(open_with(&app, &[NEW_KEY]).webhook_secret(account).await.unwrap_err().lacks_master_key());
    // Until then the old one seals, so that who has not got the new one yet can read it.
    let (other, _) = app.other_account("other").await;
    assert!(rotated.replace_webhook_secret(&other, "Bearer other", &By::trunkline()).await.unwrap());
    assert_eq!(app.store().webhook_secret(&other).await.unwrap().as_deref(), Some("Bearer other"));

    // And what cannot be opened is counted.
    sqlx::query(
        "insert into connectors (account_id, kind, settings, secret)
         values ('other', '8x8', '{}', 'v1.deadbeef.AAAA')",
    )
    .execute(rotated.pool())
    .await
    .unwrap();
    let resealed = rotated.reseal(LostKey::Refused).await.unwrap();
    let unknown = Unsealed::UnknownKey("deadbeef".to_owned());
    let left = Left { column: "connectors.secret".to_owned(), count: 1, because: unknown };
    assert_eq!(resealed, Resealed { rows: 61 + 3 + 2, left: vec![left] });

    let new = open_with(&app, &[NEW_KEY]);
    let settings = new.webhook_settings(account).await.unwrap().unwrap();
    assert_eq!((&settings.secret[..], settings.previous.as_deref()), ("Bearer next", Some(WEBHOOK_SECRET)));
    for subaccount in [None, Some("shop")] {
        let found = new.find_connector(account, kind, subaccount).await.unwrap().unwrap();
        assert_eq!(found.secret.as_deref(), Some("key-1"));
    }
    for (kind, secret) in [(kind, "signed-1"), (messages_api, "signed-2")] {
        let found = new.find_provider_signature(account, kind).await.unwrap();
        assert_eq!(found.as_deref(), Some(secret));
    }
    for version in [1, 61] {
        let loaded = new.load_version(account, definition, version).await.unwrap().unwrap();
        assert_eq!(loaded, with_secret()["definition"]["steps"].to_string());
    }
    let late = open_store(app.database_url()).webhook_secret(account).await;
    assert!(matches!(late, Err(StoreError::WrongMasterKey { .. })), "{late:?}");
}

#[tokio::test]
async fn a_server_that_was_left_out_of_a_rotation_seals_nothing_with_the_old_key() {
    let app = TestApp::start().await;
    app.define(with_secret()).await;
    let old_behind = open_with(&app, &[NEW_KEY, MASTER_KEY]);
    let old_in_front = open_with(&app, &[MASTER_KEY, NEW_KEY]);
    let [old, new] =
        [app.store(), &old_behind].map(|store| store.master_keys().unwrap().first_id().to_owned());
    let account = app.account();
    // Before it, everybody seals with the key that everybody has.
    for store in [&old_behind, &old_in_front, app.store()] {
        assert!(store.replace_webhook_secret(account, WEBHOOK_SECRET, &By::trunkline()).await.unwrap());
        assert_eq!(sealed_with(&app).await, [&old[..]]);
    }

    let resealed = old_behind.reseal(LostKey::Refused).await.unwrap();
    assert_eq!(resealed, Resealed { rows: 2, left: Vec::new() });
    // Afterwards, all that have the new key seal with it, whichever is in front; also when they run on.
    for store in [&old_in_front, &old_behind, &open_with(&app, &[NEW_KEY])] {
        assert!(
            store.rotate_webhook_secret(account, WEBHOOK_SECRET, &By::trunkline()).await.unwrap().is_some()
        );
        assert_eq!(sealed_with(&app).await, [&new[..]]);
    }
    // Who was left out saves nothing, nor does it take for a stranger whom it cannot know.
    app.post("/definitions", with_secret()).await.expect_error(503, 2000);
    let kind = ConnectorKind::Converse;
    let settings = json!({"url": "https://desk.example"});
    let connector =
        NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("Basic x") };
    for refused in [
        app.store().set_connector(connector, &By::trunkline()).await,
        app.store().replace_webhook_secret(account, "Bearer x", &By::trunkline()).await,
        app.store().rotate_webhook_secret(account, "Bearer x", &By::trunkline()).await.map(|_| true),
        app.store().ensure_webhook_settings(account, "Bearer x", &By::trunkline()).await.map(|_| true),
    ] {
        assert!(matches!(refused, Err(StoreError::WrongMasterKey { .. })), "{refused:?}");
    }
    webhook(&app, "acme", Some(WEBHOOK_SECRET)).await.expect_error(503, 2000);
    let again = open_with(&app, &[NEW_KEY]).reseal(LostKey::Refused).await.unwrap();
    assert_eq!(again, Resealed { rows: 0, left: Vec::new() });
}

#[tokio::test]
async fn who_saves_during_a_rotation_is_waited_for_or_uses_the_new_key() {
    let app = TestApp::start().await;
    let both = open_with(&app, &[NEW_KEY, MASTER_KEY]);
    // Somebody has read the word, and has not stored yet what the old key seals.
    let mut saving = app.store().pool().begin().await.unwrap();
    sqlx::query("select from master_key_check for share").execute(&mut *saving).await.unwrap();
    let store_late = async move {
        until("the rotation waits", || async {
            let waiting: i64 = sqlx::query_scalar("select count(*) from pg_locks where not granted")
                .fetch_one(app.store().pool())
                .await
                .unwrap();
            waiting > 0
        })
        .await;
        let (other, _) = app.other_account("other").await;
        sqlx::query(
            "insert into connectors (account_id, kind, settings, secret)
             select $1, 'converse', '{}', secret
             from webhook_settings",
        )
        .bind(other.as_str())
        .execute(&mut *saving)
        .await
        .unwrap();
        saving.commit().await.unwrap();
        app
    };
    let (resealed, app) = tokio::join!(both.reseal(LostKey::Refused), store_late);
    // It saw it: of another row, the text does not open, and is told of.
    let left = resealed.unwrap().left;
    let old = app.store().master_keys().unwrap().first_id().to_owned();
    let because = Unsealed::ConfiguredKey(old);
    assert_eq!(left, [Left { column: "connectors.secret".to_owned(), count: 1, because }]);
}

#[tokio::test]
async fn the_old_key_is_needed_until_nothing_is_left_that_it_opens() {
    let app = TestApp::start().await;
    app.other_account("other").await;
    let both = open_with(&app, &[NEW_KEY, MASTER_KEY]);
    let new = || open_with(&app, &[NEW_KEY]);
    // Of a provider that this release does not know: not to be resealed, yet sound. And damage of no known key,
    // which is no reason to do without the old one.
    let statements = [
        "alter table connectors drop constraint connectors_kind_check",
        "insert into connectors (account_id, kind, settings, secret)
         select account_id, 'fax', '{}', secret
         from webhook_settings",
        "insert into connectors (account_id, kind, settings, secret)
         values ('other', '8x8', '{}', 'v1.'), ('other', 'converse', '{}', 'v1')",
    ];
    for statement in statements {
        sqlx::raw_sql(statement).execute(both.pool()).await.unwrap();
    }
    let left = both.reseal(LostKey::Refused).await.unwrap().left;
    let of_old_key: Vec<_> =
        left.iter().filter(|left| matches!(left.because, Unsealed::ConfiguredKey(_))).collect();
    assert_eq!((left.len(), of_old_key.len()), (2, 1), "{left:?}");
    let early = new().check_master_key().await;
    assert!(matches!(early, Err(StoreError::WrongMasterKey { .. })), "{early:?}");
    assert!(both.check_master_key().await.is_ok());

    // What is damaged needs no key.
    sqlx::raw_sql("update connectors set kind = '8x8' where kind = 'fax'")
        .execute(both.pool())
        .await
        .unwrap();
    assert_eq!(both.reseal(LostKey::Refused).await.unwrap().left, left);
    new().check_master_key().await.unwrap();
}

#[tokio::test]
async fn a_wrong_key_does_not_claim_a_database_that_holds_something_sealed() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let settings = json!({"url": "https://desk.example"});
    let kind = ConnectorKind::Converse;
    let set = async |store: &Store| {
        let new =
            NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("Basic x") };
        store.set_signing_connector(new, NewSignature::Secret("signed"), &By::trunkline()).await
    };
    let words = async || -> i64 {
        sqlx::query_scalar("select count(*) from master_key_check").fetch_one(store.pool()).await.unwrap()
    };
    let forget = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(store.pool()).await.unwrap();
        sqlx::raw_sql("delete from master_key_check").execute(store.pool()).await.unwrap();
    };
    app.define(with_secret()).await;
    set(store).await.unwrap();
    // One kind after the other is the only one that is left.
    for statement in [
        "",
        "update connectors set secret = null",
        "delete from connectors",
        "delete from webhook_settings",
        "delete from definition_versions; delete from definitions",
    ] {
        forget(statement).await;
        let wrong = open_with(&app, &[NEW_KEY]);
        // To list them is to claim nothing.
        open_with(&app, &[MASTER_KEY]).list_connectors(account).await.unwrap();
        wrong.list_connectors(account).await.unwrap();
        assert_eq!(words().await, 0);
        if statement.contains("definitions") {
            wrong.check_master_key().await.unwrap();
            break;
        }
        for refused in [wrong.check_master_key().await, set(&wrong).await.map(|_| ())] {
            assert!(matches!(refused, Err(StoreError::WrongMasterKey { .. })), "{statement}: {refused:?}");
        }
        assert_eq!(words().await, 0);
        // With both, the one that is in use goes on sealing.
        open_with(&app, &[NEW_KEY, MASTER_KEY]).check_master_key().await.unwrap();
        open_with(&app, &[MASTER_KEY]).check_master_key().await.unwrap();
    }
    let late = open_with(&app, &[MASTER_KEY]).check_master_key().await;
    assert!(matches!(late, Err(StoreError::WrongMasterKey { .. })), "{late:?}");
}

#[tokio::test]
async fn connectors_are_listed_without_the_word_of_the_master_key() {
    let app = TestApp::start().await;
    let (store, account) = (app.store(), app.account());
    let settings = json!({"url": "https://desk.example"});
    let kind = ConnectorKind::Converse;
    let new = NewConnector { account, kind, subaccount: None, settings: &settings, secret: Some("Basic x") };
    store.set_connector(new, &By::trunkline()).await.unwrap();
    sqlx::raw_sql("delete from master_key_check").execute(store.pool()).await.unwrap();
    let secret =
        async |key: &str| open_with(&app, &[key]).list_connectors(account).await.unwrap()[0].secret.clone();
    assert_eq!(secret(MASTER_KEY).await, ListedSecret::Opened("Basic x".to_owned()));
    assert!(matches!(secret(NEW_KEY).await, ListedSecret::Sealed(_)));
    let words: i64 =
        sqlx::query_scalar("select count(*) from master_key_check").fetch_one(store.pool()).await.unwrap();
    assert_eq!(words, 0);
}
