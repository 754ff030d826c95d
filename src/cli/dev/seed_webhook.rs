//! The secret that the sandbox's webhooks carry, as the platform's do.

use trunkline_store::Store;
use trunkline_store::audit::By;
use trunkline_store::webhook_settings::webhook_secret_from_random;
use trunkline_workflow::AccountId;

use super::seed_account::ACCOUNT;
use crate::cli::error::CliError;

/// The account's; made at the first start.
pub(super) async fn seed_webhook(store: &Store) -> Result<String, CliError> {
    let fresh = webhook_secret_from_random(rand::random());
    let settings = store.ensure_webhook_settings(&AccountId::new(ACCOUNT), &fresh, &By::trunkline()).await?;
    Ok(settings.ok_or_else(|| CliError::NoAccount(ACCOUNT.to_owned()))?.secret)
}
