//! `connector list`: everything but the secrets.

use sha2::{Digest, Sha256};
use trunkline_store::connectors::{ListedConnector, ListedSecret};
use trunkline_workflow::AccountId;

use crate::cli::error::CliError;
use crate::cli::print_table::table;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

pub(super) async fn list_connectors(
    account: &AccountId,
    store: &SealingStoreSettings,
) -> Result<(), CliError> {
    let store = store.open_with_or_without_keys()?;
    reach(&store).await?;
    if !store.account_exists(account).await? {
        return Err(CliError::NoAccount(account.to_string()));
    }
    let rows: Vec<_> = store.list_connectors(account).await?.iter().map(row).collect();
    print!("{}", table(["connector", "subaccount", "secret", "signature", "changed", "settings"], &rows));
    Ok(())
}

fn row(connector: &ListedConnector) -> [String; 6] {
    [
        connector.kind.as_str().to_owned(),
        connector.subaccount.clone().unwrap_or_else(|| "-".to_owned()),
        describe(&connector.secret),
        describe(&connector.signature_secret),
        connector.changed_at.format("%F %T UTC").to_string(),
        connector.settings.to_string(),
    ]
}

fn describe(secret: &ListedSecret) -> String {
    match secret {
        ListedSecret::None => "-".to_owned(),
        ListedSecret::Opened(secret) => fingerprint(secret),
        ListedSecret::Sealed(key) => format!("sealed:{key}"),
    }
}

/// Enough to tell secrets apart. They are too random to be guessed from it.
fn fingerprint(secret: &str) -> String {
    let digest = Sha256::digest(secret);
    format!("sha256:{:02x}{:02x}{:02x}{:02x}…", digest[0], digest[1], digest[2], digest[3])
}
