//! One process per data folder: a lock that the kernel gives back however its holder ends.

use std::fs::{DirBuilder, File, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::{ClusterError, Doing};

const FILE: &str = "lock";

/// Held for as long as this lives.
#[derive(Debug)]
pub(super) struct DataDirLock {
    _file: File,
}

/// Makes the folder if it is missing and answers with its real, absolute path.
pub(super) fn make_data_dir(data_dir: &Path) -> Result<PathBuf, ClusterError> {
    if !data_dir.exists() {
        // PostgreSQL may run as another user, who has to pass through, but not to look around.
        let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
        DirBuilder::new().recursive(true).mode(0o755).create(data_dir).doing("make", data_dir)?;
        std::fs::set_permissions(data_dir, Permissions::from_mode(mode))
            .doing("set the mode of", data_dir)?;
    }
    data_dir.canonicalize().doing("enter", data_dir)
}

pub(super) fn lock(data_dir: &Path) -> Result<DataDirLock, ClusterError> {
    let path = data_dir.join(FILE);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(&path)
        .doing("open", &path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(ClusterError::InUse { pid, path: data_dir.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(ClusterError::Io { action: "lock", path, source }),
    }
    file.set_len(0).doing("write", &path)?;
    writeln!(file, "{}", std::process::id()).doing("write", &path)?;
    Ok(DataDirLock { _file: file })
}
