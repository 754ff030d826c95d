//! The key that secrets are sealed with in the database. There is no flag for it: other users of the machine
//! can read a command line.

use std::path::{Path, PathBuf};

use trunkline_store::Store;
use trunkline_store::sealing::MasterKeys;

use super::database::DatabaseSettings;
use crate::cli::error::CliError;

const VARIABLE: &str = "TRUNKLINE_MASTER_KEY";
const FILE_VARIABLE: &str = "TRUNKLINE_MASTER_KEY_FILE";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Encryption")]
pub struct MasterKeySettings {
    /// A file with the master key that secrets are sealed with; the variable `TRUNKLINE_MASTER_KEY` may hold the
    /// key itself instead
    ///
    /// Of several keys, a line or a comma between them, all open; `trunkline master-key reseal` makes the first the
    /// one that seals. `trunkline master-key` makes one.
    #[arg(long, env = FILE_VARIABLE, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

/// A database with secrets to be sealed or opened.
#[derive(Debug, clap::Args)]
pub struct SealingStoreSettings {
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    master_key: MasterKeySettings,
}

impl SealingStoreSettings {
    pub fn open(&self) -> Result<Store, CliError> {
        let store = self.database.open()?;
        let keys = self.master_key.find()?.ok_or(CliError::NoMasterKey)?;
        Ok(store.with_master_keys(keys))
    }

    /// For what can be done without a key as well.
    pub fn open_with_or_without_keys(&self) -> Result<Store, CliError> {
        let store = self.database.open()?;
        Ok(match self.master_key.find()? {
            Some(keys) => store.with_master_keys(keys),
            None => store,
        })
    }
}

impl MasterKeySettings {
    /// `None` when none is given.
    pub fn find(&self) -> Result<Option<MasterKeys>, CliError> {
        // Deployments write a blank variable for "none".
        let value = std::env::var_os(VARIABLE).filter(|value| !value.to_string_lossy().trim().is_empty());
        let file = self.master_key_file.as_deref().filter(|path| !path.as_os_str().is_empty());
        match (value, file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(CliError::TwoMasterKeys),
            (Some(value), None) => {
                let keys = MasterKeys::parse(&value.to_string_lossy());
                keys.map(Some)
                    .map_err(|source| CliError::BadMasterKey { place: format!("`{VARIABLE}`"), source })
            }
            (None, Some(path)) => read_master_keys(path).map(Some),
        }
    }
}

pub(crate) fn read_master_keys(path: &Path) -> Result<MasterKeys, CliError> {
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| CliError::File { action: "read", path: path.to_owned(), source })?;
    MasterKeys::parse(&text).map_err(|source| {
        let place = format!("the file `{}` of `{FILE_VARIABLE}`", path.display());
        CliError::BadMasterKey { place, source }
    })
}
