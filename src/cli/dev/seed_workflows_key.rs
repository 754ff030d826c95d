//! What the account of `dev` is to the Workflows API: its API key, a secret that stays the same over restarts, and
//! its callbacks, which go to the sandbox until somebody says otherwise.

use std::path::Path;

use sha2::{Digest, Sha256};
use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::nexmo_accounts::{CallbackUrls, NexmoAccount, api_key_from_random};
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::AccountId;

use super::env_file::EnvFile;
use super::seed_account::ACCOUNT;
use crate::cli::error::CliError;

const STATUSES: &str = "/sandbox/service/message-status";
const INBOUND: &str = "/sandbox/service/inbound";

/// An API key and its secret.
pub(super) struct WorkflowsKey {
    pub(super) key: String,
    pub(super) secret: String,
}

/// The account exists already. `url` is where `dev` listens.
pub(super) async fn seed_workflows_key(
    store: &Store,
    data_dir: &Path,
    url: &str,
) -> Result<WorkflowsKey, CliError> {
    let account = AccountId::new(ACCOUNT);
    let fresh = api_key_from_random(rand::random());
    let holder = store.ensure_nexmo_account(&account, &fresh, &By::trunkline()).await?;
    let holder = holder.ok_or_else(|| CliError::NoAccount(ACCOUNT.to_owned()))?;
    let secret = seed_secret(store, data_dir, &holder).await?;
    seed_callbacks(store, &holder, url).await?;
    Ok(WorkflowsKey { key: holder.api_key, secret })
}

/// The one of the last run if it is still in force, else a new one.
async fn seed_secret(store: &Store, data_dir: &Path, holder: &NexmoAccount) -> Result<String, CliError> {
    if let Some(EnvFile { workflows_api_secret: known, .. }) = EnvFile::read(data_dir) {
        let hash: [u8; 32] = Sha256::digest(&known).into();
        let in_force = store.find_key_holder(&holder.api_key).await?;
        if in_force.is_some_and(|found| found.secrets.contains(&hash)) {
            return Ok(known);
        }
    }
    let secret = ApiSecret::from_random(rand::random());
    if store.add_secret(&holder.account, &secret, &By::trunkline()).await? == AddedSecret::TooMany {
        revoke_oldest(store, &holder.account).await?;
        store.add_secret(&holder.account, &secret, &By::trunkline()).await?;
    }
    Ok(secret.reveal().to_owned())
}

/// There is no other moment to make room: while `dev` is stopped, so is its database.
async fn revoke_oldest(store: &Store, account: &AccountId) -> Result<(), CliError> {
    let secrets = store.list_secrets(account).await?;
    let Some(oldest) = secrets.iter().find(|secret| secret.revoked_at.is_none()) else { return Ok(()) };
    tracing::warn!(
        "account `{ACCOUNT}` had two secrets of the Workflows API, neither of which is in the data folder: the older \
         one, `{}…`, is revoked",
        oldest.prefix
    );
    store.revoke_secret(oldest.id, &By::trunkline()).await?;
    Ok(())
}

async fn seed_callbacks(store: &Store, holder: &NexmoAccount, url: &str) -> Result<(), CliError> {
    let urls = CallbackUrls {
        status: Some(address(holder.urls.status.as_deref(), url, STATUSES)),
        inbound: Some(address(holder.urls.inbound.as_deref(), url, INBOUND)),
    };
    if urls != holder.urls {
        store.set_account_callbacks(&holder.account, &urls, &By::trunkline()).await?;
    }
    Ok(())
}

/// Leaves an address alone that somebody else set. Ours follows the one that `dev` listens on.
fn address(set: Option<&str>, url: &str, path: &str) -> String {
    let is_ours = |set: &str| set.starts_with("http://") && set.ends_with(path);
    set.filter(|set| !is_ours(set)).map_or_else(|| format!("{url}{path}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{STATUSES, address};

    #[test]
    fn only_an_address_of_ours_follows_the_port() {
        let url = "http://127.0.0.1:8081";
        let here = "http://127.0.0.1:8081/sandbox/service/message-status";
        for (set, becomes) in [
            (None, here),
            (Some("http://127.0.0.1:8080/sandbox/service/message-status"), here),
            (Some(here), here),
            (Some("https://shop.example/hooks/st"), "https://shop.example/hooks/st"),
        ] {
            assert_eq!(address(set, url, STATUSES), becomes);
        }
    }
}
