//! The command: without an action it prints a key.

use std::process::ExitCode;

use clap::Subcommand;
use trunkline_store::sealing::master_key_text;

use super::reseal_texts::ResealTexts;
use crate::cli::error::CliError;

/// Print a fresh master key, for `TRUNKLINE_MASTER_KEY` or the file that `TRUNKLINE_MASTER_KEY_FILE` names
///
/// Provider keys, webhook secrets and the steps of definitions are sealed with it in the database. Keep a copy
/// elsewhere: without it they cannot be read by anybody.
///
/// To replace it: put a new key in front of the old one, restart all servers and workers with both, one after the
/// other, run `trunkline master-key reseal`, and take the old key away.
#[derive(Debug, clap::Args)]
pub struct MasterKey {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Seal everything in the database with the first of the configured master keys
    ///
    /// Says what still needs another key, and exits with 1 while something does. May run while servers and workers
    /// do, when all of them have the new key; one without it saves nothing from then on. It may be run again at any
    /// time. Definitions that an older release
    /// stored unsealed are sealed, too, and from then on unsealed ones are no longer believed.
    Reseal(ResealTexts),
}

impl MasterKey {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        match self.action {
            None => {
                // The key alone, so that it can be written into a file: trunkline master-key > master.key
                println!("{}", master_key_text(rand::random()));
                Ok(ExitCode::SUCCESS)
            }
            Some(Action::Reseal(reseal)) => reseal.run().await,
        }
    }
}
