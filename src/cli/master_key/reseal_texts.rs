//! `master-key reseal`: the last step before an old key is thrown away.

use std::process::ExitCode;

use trunkline_store::reseal::{Left, LostKey, Unsealed};
use trunkline_store::sealing::MasterKeys;

use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

#[derive(Debug, clap::Args)]
pub(super) struct ResealTexts {
    /// The key that the database's secrets are sealed with is lost: give up what only it opens, and go on with the
    /// first of the configured ones
    #[arg(long)]
    key_is_lost: bool,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl ResealTexts {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let store = self.store.open()?;
        reach(&store).await?;
        let lost = if self.key_is_lost { LostKey::GivenUp } else { LostKey::Refused };
        let resealed = store.reseal(lost).await?;
        let key = store.master_keys().map(MasterKeys::first_id).unwrap_or_default();
        println!("Rows sealed anew with master key `{key}`: {}.", resealed.rows);
        if resealed.left.is_empty() {
            println!("Nothing needs another key.");
            return Ok(ExitCode::SUCCESS);
        }
        for left in &resealed.left {
            println!("{}", describe(left));
        }
        Ok(ExitCode::FAILURE)
    }
}

fn describe(left: &Left) -> String {
    let Left { column, count, because } = left;
    match because {
        Unsealed::Plain => format!(
            "Left: {count} of {column} unsealed. An older release wrote them just now: stop it, then run this again."
        ),
        Unsealed::ConfiguredKey(key) => format!(
            "Left: {count} of {column} sealed with master key `{key}`, which does not open them. Run this again: what \
             is left then is damaged and has to be set anew."
        ),
        Unsealed::UnknownKey(key) => format!(
            "Left: {count} of {column} sealed with master key `{key}`, which is not configured: put it behind the \
             others, then run this again."
        ),
    }
}
