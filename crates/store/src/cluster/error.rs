//! Why a private cluster does not start. Each is one line that says what to do.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL 14 or newer on this machine: install it (Debian, Ubuntu: `apt-get install postgresql`; \
         Fedora: `dnf install postgresql-server`; macOS: `brew install postgresql@17`)"
    )]
    NoBinaries,
    #[error("`{}` holds no `initdb` and `postgres` of PostgreSQL 14 or newer that we can run", dir.display())]
    NoBinariesIn { dir: PathBuf },
    #[error("`{}` is in use by {}: stop it, or choose another data folder", path.display(), holder(*pid))]
    InUse { pid: Option<u32>, path: PathBuf },
    #[error(
        "the data in `{}` is of PostgreSQL {data}, but this machine has PostgreSQL {installed}: \
         install PostgreSQL {data}, or start over with an empty data folder", path.display()
    )]
    OtherVersion { path: PathBuf, data: String, installed: String },
    #[error("`{}` exists, but it is not a PostgreSQL data folder: move it away", path.display())]
    NotOurs { path: PathBuf },
    #[error("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")]
    NoUser,
    #[error("user `{user}`, as whom PostgreSQL runs, cannot enter `{}`: run `chmod a+x` on its parent folders", path.display())]
    Unreachable { user: String, path: PathBuf },
    #[error("`{name}` is not a PostgreSQL setting that can be written into its configuration")]
    BadSetting { name: String },
    #[error("`initdb` ended with {status}: {output}")]
    Initdb { status: String, output: String },
    #[error("PostgreSQL ended while it started, with {status}; its last words, from `{}`: {last_words}", log.display())]
    DidNotStart { status: String, log: PathBuf, last_words: String },
    #[error("process {pid}, left of an earlier run in `{}`, does not end: stop it by hand", path.display())]
    LeftBehind { pid: i32, path: PathBuf },
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// Names what was done to which path when the system said no.
pub(super) trait Doing<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, ClusterError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, ClusterError> {
        self.map_err(|source| ClusterError::Io { action, path: path.to_owned(), source })
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"))
}
