//! What callbacks are signed with, and where those go that no application has an address for.

use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::CallbackUrls;
use trunkline_store::reseal::LostKey;
use trunkline_store::sealing::MasterKeys;
use trunkline_workflow::AccountId;

use crate::nexmo::site::{API_KEY, Site};
use crate::support::MASTER_KEY;

const NEW_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[tokio::test]
async fn a_signature_secret_is_sealed_and_goes_over_to_another_master_key() {
    let site = Site::start().await;
    let (store, account) = (site.app.store(), site.app.account());
    let signature = store.find_signature(account).await.unwrap().unwrap();
    assert_eq!((signature.api_key.as_str(), signature.secret), (API_KEY, None));
    assert!(store.set_signature_secret(account, "hush-1", &By::trunkline()).await.unwrap());
    assert!(store.find_nexmo_account(account).await.unwrap().unwrap().is_signing);
    let stored = async || -> String {
        let query = sqlx::query_scalar("select signature_secret from nexmo_accounts");
        query.fetch_one(store.pool()).await.unwrap()
    };
    assert!(stored().await.starts_with("v1.") && !stored().await.contains("hush"));

    let open = |keys: &str| {
        let keys = MasterKeys::parse(keys).unwrap();
        Store::open(site.app.database_url(), 2).unwrap().with_master_keys(keys)
    };
    let both = open(&format!("{NEW_KEY},{MASTER_KEY}"));
    let before = stored().await;
    let resealed = both.reseal(LostKey::Refused).await.unwrap();
    assert!(resealed.left.is_empty(), "{resealed:?}");
    assert_ne!(stored().await, before);
    let signature = open(NEW_KEY).find_signature(account).await.unwrap().unwrap();
    assert_eq!(signature.secret.as_deref(), Some("hush-1"));
    assert!(!format!("{signature:?}").contains("hush"));

    assert!(store.remove_signature_secret(account, &By::trunkline()).await.unwrap());
    assert_eq!(store.find_signature(account).await.unwrap().unwrap().secret, None);
}

#[tokio::test]
async fn an_account_without_an_api_key_has_nothing_to_be_set() {
    let site = Site::start().await;
    let store = site.app.store();
    let (other, _) = site.app.other_account("other").await;
    let urls = CallbackUrls { status: Some("https://shop.example/st".to_owned()), inbound: None };
    for account in [&other, &AccountId::new("nobody")] {
        assert!(!store.set_signature_secret(account, "x", &By::trunkline()).await.unwrap());
        assert!(!store.remove_signature_secret(account, &By::trunkline()).await.unwrap());
        assert!(!store.set_account_callbacks(account, &urls, &By::trunkline()).await.unwrap());
        assert_eq!(store.find_signature(account).await.unwrap(), None);
        assert_eq!(store.find_nexmo_account(account).await.unwrap(), None);
    }
    assert!(store.set_account_callbacks(site.app.account(), &urls, &By::trunkline()).await.unwrap());
    assert_eq!(store.find_nexmo_account(site.app.account()).await.unwrap().unwrap().urls, urls);
}
