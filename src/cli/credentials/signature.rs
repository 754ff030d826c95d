//! `credentials signature`: what receivers check callbacks with.

use trunkline_store::nexmo_accounts::signature_secret_from_random;
use trunkline_workflow::AccountId;

use super::command::find;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

#[derive(Debug, clap::Args)]
pub(super) struct SignatureChange {
    /// Replace it at once
    #[arg(long, conflicts_with = "remove")]
    rotate: bool,
    /// Sign nothing from now on
    #[arg(long)]
    remove: bool,
}

impl SignatureChange {
    pub(super) async fn run(self, account: &AccountId, store: &SealingStoreSettings) -> Result<(), CliError> {
        let store = store.open()?;
        reach(&store).await?;
        let holder = find(&store, account).await?;
        if self.remove {
            store.remove_signature_secret(account, &at_this_shell()).await?;
            println!("Callbacks of account `{account}` are not signed any more.");
            return Ok(());
        }
        if self.rotate || !holder.is_signing {
            let fresh = signature_secret_from_random(rand::random());
            store.set_signature_secret(account, &fresh, &at_this_shell()).await?;
            eprintln!("Callbacks of account `{account}` are signed with a new secret from now on:");
        } else {
            eprintln!("Callbacks of account `{account}` are signed with:");
        }
        let signature = store.find_signature(account).await?;
        let secret = signature.and_then(|signature| signature.secret);
        println!("{}", secret.ok_or_else(|| CliError::NoApiKey(account.to_string()))?);
        Ok(())
    }
}
