//! The folder of the socket: private, and short enough for the kernel.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::choose_home::{Home, tag};
use super::error::{ClusterError, Doing};
use super::privileges::RunAs;

/// 107 bytes on Linux, 103 on macOS and the BSDs.
const LONGEST_SOCKET: usize = 103;
const SOCKET: &str = "/.s.PGSQL.5432";

#[derive(Debug)]
pub(super) struct SocketDir {
    pub path: PathBuf,
    outside: bool,
}

impl SocketDir {
    /// An empty folder of mode 0700 that belongs to PostgreSQL's user. No server runs in this home any
    /// more when this is called: what lies in the folder is of the dead, and their lock files, which
    /// name processes, would keep a new server out once such a number is in use again.
    pub(super) fn prepare(home: &Home, run_as: &RunAs) -> Result<Self, ClusterError> {
        let inside = home.root.join("socket");
        if fits(&inside) {
            if inside.exists() {
                std::fs::remove_dir_all(&inside).doing("remove", &inside)?;
            }
            DirBuilder::new().mode(0o700).create(&inside).doing("make", &inside)?;
            run_as.give(&inside)?;
            return Ok(Self { path: inside, outside: false });
        }
        for attempt in 0.. {
            let path = PathBuf::from(format!("/tmp/trunkline-{}-{attempt}", tag(&home.root)));
            if make_in_public(&path, run_as)? {
                return Ok(Self { path, outside: true });
            }
        }
        unreachable!("an endless range of names")
    }

    /// Leaves nothing in `/tmp`.
    pub(super) fn remove_if_outside(&self) {
        if self.outside
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket folder stays behind");
        }
    }
}

/// `false`: the name is taken by somebody else, who may have put it there to listen in.
fn make_in_public(path: &Path, run_as: &RunAs) -> Result<bool, ClusterError> {
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() && there.uid() == run_as.uid() => {
            std::fs::remove_dir_all(path).doing("remove", path)?;
        }
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(ClusterError::Io { action: "look at", path: path.to_owned(), source }),
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        made => made.doing("make", path)?,
    }
    run_as.give(path)?;
    Ok(true)
}

/// The path also has to pass through a list in PostgreSQL's configuration and through a URL.
fn fits(dir: &Path) -> bool {
    dir.to_str().is_some_and(|text| {
        text.len() + SOCKET.len() <= LONGEST_SOCKET
            && !text.contains(|c: char| c.is_control() || ",\"".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_and_plain_paths_hold_a_socket() {
        let longest = format!("/{}", "x".repeat(LONGEST_SOCKET - SOCKET.len() - 1));
        assert!(fits(Path::new(&longest)));
        assert!(!fits(Path::new(&format!("{longest}x"))));
        assert!(fits(Path::new("/home/Zoë/it's here")));
        assert!(!fits(Path::new("/a,b")));
    }
}
