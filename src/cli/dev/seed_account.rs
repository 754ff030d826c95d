//! The account of `dev` and its key, which stays the same over restarts.

use std::path::Path;

use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::keys::{KeySecret, NewKey};
use trunkline_workflow::AccountId;

use super::env_file::EnvFile;
use crate::cli::error::CliError;

pub(super) const ACCOUNT: &str = "dev";

/// The secret of a key that opens the account: the one of the last run if it still does, else a new one.
pub(super) async fn seed_account(store: &Store, data_dir: &Path) -> Result<String, CliError> {
    let account = AccountId::new(ACCOUNT);
    store.create_account(&account).await?;
    if let Some(secret) = EnvFile::read(data_dir).and_then(|env| KeySecret::parse(&env.api_key))
        && store.authenticate(&secret).await?.is_some_and(|opened| opened.account == account)
    {
        return Ok(secret.reveal().to_owned());
    }
    let secret = KeySecret::from_random(rand::random());
    let key = store.create_key(&account, &NewKey::named("dev"), &secret, &By::trunkline()).await?;
    key.ok_or_else(|| CliError::NoAccount(ACCOUNT.to_owned()))?;
    Ok(secret.reveal().to_owned())
}
