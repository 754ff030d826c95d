//! Where conversations are handed over to in `dev`: its sandbox, until a connector says otherwise.

use serde_json::{Value, json};
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_workflow::AccountId;

use super::seed_account::ACCOUNT;
use crate::cli::error::CliError;

const TICKETS: &str = "/sandbox/service/tickets";

/// Leaves a connector alone that somebody else made. Ours follows the address that `dev` listens on.
pub(super) async fn seed_handover(store: &Store, url: &str) -> Result<(), CliError> {
    let account = AccountId::new(ACCOUNT);
    let kind = ConnectorKind::Converse;
    let existing = store.find_connector(&account, kind, None).await?;
    let is_ours = |settings: &Value| {
        settings["url"].as_str().is_some_and(|url| url.starts_with("http://") && url.ends_with(TICKETS))
    };
    if existing.as_ref().is_some_and(|connector| !is_ours(&connector.settings)) {
        return Ok(());
    }
    let settings = json!({"url": format!("{url}{TICKETS}")});
    if existing.is_some_and(|connector| connector.settings == settings) {
        return Ok(());
    }
    let new = NewConnector { account: &account, kind, subaccount: None, settings: &settings, secret: None };
    let is_set = store.set_connector(new, &By::trunkline()).await?;
    if is_set { Ok(()) } else { Err(CliError::NoAccount(ACCOUNT.to_owned())) }
}
