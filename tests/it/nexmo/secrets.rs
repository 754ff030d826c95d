//! The secrets of an API key, from the first to the last.

use futures::future::join_all;
use trunkline_store::audit::By;
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::AccountId;

use crate::nexmo::site::{API_KEY, Site, expect_accepted, expect_problem};

#[tokio::test]
async fn n_015_two_secrets_are_taken_and_a_revoked_one_is_not() {
    let mut site = Site::start().await;
    let (first, old) = site.new_secret().await;
    let (_, new) = site.new_secret().await;
    expect_accepted(&site.call(&old).await);
    expect_accepted(&site.call(&new).await);
    assert!(site.app.store().revoke_secret(first, &By::trunkline()).await.unwrap());
    assert!(!site.app.store().revoke_secret(first, &By::trunkline()).await.unwrap());
    site.forget().await;
    expect_problem(&site.call(&old).await, 401, "#unauthorized");
    expect_accepted(&site.call(&new).await);
}

#[tokio::test]
async fn there_are_never_more_than_two_and_only_their_hashes_are_kept() {
    let site = Site::start().await;
    let (store, account) = (site.app.store(), site.app.account());
    let secrets: Vec<ApiSecret> = (0..8).map(|n| ApiSecret::from_random([n; 32])).collect();
    let by = By::trunkline();
    let added = join_all(secrets.iter().map(|secret| store.add_secret(account, secret, &by))).await;
    let added: Vec<AddedSecret> = added.into_iter().map(Result::unwrap).collect();
    assert_eq!(added.iter().filter(|added| matches!(added, AddedSecret::Added(_))).count(), 2);
    assert_eq!(added.iter().filter(|added| **added == AddedSecret::TooMany).count(), 6);
    let holder = store.find_key_holder(API_KEY).await.unwrap().unwrap();
    assert_eq!((holder.secrets.len(), holder.account), (2, account.clone()));
    assert!(holder.secrets.iter().all(|hash| secrets.iter().any(|secret| secret.hash() == *hash)));
    let listed = store.list_secrets(account).await.unwrap();
    assert!(store.revoke_secret(listed[0].id, &By::trunkline()).await.unwrap());
    assert!(matches!(
        store.add_secret(account, &secrets[0], &By::trunkline()).await.unwrap(),
        AddedSecret::Added(_)
    ));
    let listed = store.list_secrets(account).await.unwrap();
    assert_eq!((listed.len(), listed.iter().filter(|secret| secret.revoked_at.is_some()).count()), (3, 1));
    assert!(listed.iter().all(|secret| secret.prefix.len() == 6));

    let rows: String = sqlx::query_scalar("select string_agg(s::text, ' ') from nexmo_secrets s")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert!(secrets.iter().all(|secret| !rows.contains(secret.reveal())), "{rows}");
}

#[tokio::test]
async fn an_account_has_one_api_key() {
    let site = Site::start().await;
    let store = site.app.store();
    let again =
        store.ensure_nexmo_account(site.app.account(), "00000000", &By::trunkline()).await.unwrap().unwrap();
    assert_eq!(again.api_key, API_KEY);
    let nobody = AccountId::new("nobody");
    assert_eq!(store.ensure_nexmo_account(&nobody, "00000000", &By::trunkline()).await.unwrap(), None);
    let secret = ApiSecret::from_random([1; 32]);
    assert_eq!(store.add_secret(&nobody, &secret, &By::trunkline()).await.unwrap(), AddedSecret::NoApiKey);
    assert_eq!(store.find_key_holder("00000000").await.unwrap(), None);
    let other = site.app.other_account("other").await.0;
    assert!(store.ensure_nexmo_account(&other, API_KEY, &By::trunkline()).await.unwrap_err().is_refusal());
}
