//! Where PostgreSQL's files lie: in the data folder, or elsewhere when its user cannot come there.
//!
//! The usual case for "elsewhere": root's clone below `/root`, which nobody else may enter.

use std::fmt::Write;
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{ClusterError, Doing};
use super::privileges::RunAs;

/// In the data folder, when the home is elsewhere: one line that says where.
const POINTER: &str = "postgres-folder";
const ELSEWHERE: &str = "/var/lib/trunkline";

/// The folder that belongs to PostgreSQL's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub root: PathBuf,
    pub elsewhere: bool,
}

impl Home {
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The home that an earlier start made. A pointer is only believed when it leads to our own place:
    /// root must not be led to delete or give away a folder by a file that others could write.
    pub(super) fn existing(data_dir: &Path) -> Result<Option<Self>, ClusterError> {
        let inside = Self { root: data_dir.join("postgres"), elsewhere: false };
        if inside.root.is_dir() {
            return Ok(Some(inside));
        }
        let pointer = data_dir.join(POINTER);
        if !pointer.exists() {
            return Ok(None);
        }
        let root = PathBuf::from(std::fs::read_to_string(&pointer).doing("read", &pointer)?.trim_end());
        let believed = root.parent() == Some(Path::new(ELSEWHERE)) && root.is_dir();
        Ok(believed.then_some(Self { root, elsewhere: true }))
    }

    /// Makes the home, or makes sure of the one that is there.
    pub(super) fn make(
        existing: Option<Self>,
        data_dir: &Path,
        run_as: &RunAs,
    ) -> Result<Self, ClusterError> {
        let home = match existing {
            Some(home) => home,
            None if run_as.can_enter(data_dir) => Self { root: data_dir.join("postgres"), elsewhere: false },
            None => Self::make_elsewhere(data_dir)?,
        };
        if !home.root.is_dir() {
            DirBuilder::new().mode(0o700).create(&home.root).doing("make", &home.root)?;
        }
        if home.root.metadata().doing("look at", &home.root)?.uid() != run_as.uid() {
            run_as.give(&home.root)?;
        }
        if !run_as.can_enter(&home.root) {
            return Err(ClusterError::Unreachable { user: run_as.name().to_owned(), path: home.root });
        }
        Ok(home)
    }

    fn make_elsewhere(data_dir: &Path) -> Result<Self, ClusterError> {
        let root = Path::new(ELSEWHERE).join(tag(data_dir));
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(ELSEWHERE)
            .doing("make", Path::new(ELSEWHERE))?;
        if root.exists() {
            // Its data folder was deleted by hand, which means: start over. Kept once, in case it does not.
            let aside = root.with_extension("old");
            if aside.exists() {
                std::fs::remove_dir_all(&aside).doing("remove", &aside)?;
            }
            std::fs::rename(&root, &aside).doing("move away", &root)?;
        }
        DirBuilder::new().mode(0o700).create(&root).doing("make", &root)?;
        let pointer = data_dir.join(POINTER);
        std::fs::write(&pointer, format!("{}\n", root.display())).doing("write", &pointer)?;
        Ok(Self { root, elsewhere: true })
    }

    pub(super) fn remove(self, data_dir: &Path) -> Result<(), ClusterError> {
        std::fs::remove_dir_all(&self.root).doing("remove", &self.root)?;
        if self.elsewhere {
            let pointer = data_dir.join(POINTER);
            std::fs::remove_file(&pointer).doing("remove", &pointer)?;
        }
        Ok(())
    }
}

/// A short name for a path: the same path always has the same one.
pub(super) fn tag(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hash.iter().take(8).fold(String::new(), |mut tag, byte| {
        write!(tag, "{byte:02x}").expect("writing to a string cannot end in an error");
        tag
    })
}
