//! The master key of `dev`: the one that it is told, else one of its own in the data folder.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use trunkline_store::sealing::{MasterKeys, master_key_text};

use crate::cli::error::CliError;
use crate::cli::settings::read_master_keys;

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key")
}

/// The key of earlier runs, else a new one. Only the owner may read the file.
pub(super) fn seed_master_key(data_dir: &Path) -> Result<MasterKeys, CliError> {
    let path = path(data_dir);
    let failed = |source| CliError::File { action: "write", path: path.clone(), source };
    // In a file of another name first: half a key would be worse than none.
    let new = data_dir.join(format!("master.key.{}", std::process::id()));
    if !path.exists() {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let mut file = file.map_err(failed)?;
        writeln!(file, "{}", master_key_text(rand::random())).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // Fails when somebody else was faster: then theirs counts.
        let linked = std::fs::hard_link(&new, &path);
        std::fs::remove_file(&new).map_err(failed)?;
        linked.or_else(|error| if path.exists() { Ok(()) } else { Err(failed(error)) })?;
    }
    read_master_keys(&path)
}

/// Part of starting over: what was sealed with it is gone.
pub(super) fn remove_master_key(data_dir: &Path) -> Result<(), CliError> {
    let path = path(data_dir);
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::File { action: "remove", path, source })
        }
        _ => Ok(()),
    }
}
