//! Deletes a cluster with all its data, for those who want to start over.

use std::path::Path;

use super::choose_home::Home;
use super::clear_leftovers;
use super::error::ClusterError;
use super::lock_data_dir::{lock, make_data_dir};

/// Removes PostgreSQL's files from a data folder, wherever they lie; the folder itself and the rest of
/// it stay. A cluster in use is left alone: [`ClusterError::InUse`]. Blocks while it deletes.
pub fn remove(data_dir: &Path) -> Result<(), ClusterError> {
    if !data_dir.exists() {
        return Ok(());
    }
    let data_dir = make_data_dir(data_dir)?;
    let _lock = lock(&data_dir)?;
    match Home::existing(&data_dir)? {
        None => Ok(()),
        Some(home) => {
            clear_leftovers::clear(&home)?;
            home.remove(&data_dir)
        }
    }
}
