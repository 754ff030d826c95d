//! Who PostgreSQL runs as: it refuses root, so root lends it to another user.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{ClusterError, Doing};

/// Tried in this order when we are root and the data belongs to nobody yet.
const USERS: [&str; 2] = ["postgres", "nobody"];
/// What of our environment PostgreSQL needs. `PG…` variables and our secrets stay out.
const ENVIRONMENT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "TZDIR"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    Ourselves,
    Other { name: String, uid: u32, gid: u32 },
}

impl RunAs {
    /// Root runs PostgreSQL as whoever owns the data already, so that root can take up what a user began.
    pub(super) fn choose(existing_home: Option<&Path>) -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let passwd_path = Path::new("/etc/passwd");
        let passwd = std::fs::read_to_string(passwd_path).doing("read", passwd_path)?;
        if let Some(home) = existing_home {
            let owner = home.metadata().doing("look at", home)?;
            if owner.uid() != 0 {
                let name = users(&passwd).find(|user| user.1 == owner.uid());
                let name = name.map_or_else(|| owner.uid().to_string(), |user| user.0.to_owned());
                return Ok(Self::Other { name, uid: owner.uid(), gid: owner.gid() });
            }
        }
        USERS
            .iter()
            .find_map(|wanted| users(&passwd).find(|user| user.0 == *wanted))
            .map(|(name, uid, gid)| Self::Other { name: name.to_owned(), uid, gid })
            .ok_or(ClusterError::NoUser)
    }

    /// A command of this user, in a process group of its own: Ctrl-C in the terminal is for us alone.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Self::Other { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
        command.env_clear().env("LC_ALL", "C").process_group(0).current_dir("/").stdin(Stdio::null());
        for name in ENVIRONMENT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Asked of the kernel, as that user: mode bits alone do not tell (ACLs, containers).
    pub(super) fn can_enter(&self, dir: &Path) -> bool {
        if *self == Self::Ourselves {
            return true;
        }
        let mut command = self.command("/bin/sh");
        command.args(["-c", "cd -- \"$1\"", "sh"]).arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes a path theirs. Nothing to do when we are the user ourselves.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Other { uid, gid, .. } => {
                std::os::unix::fs::lchown(path, Some(*uid), Some(*gid)).doing("give away", path)
            }
        }
    }

    /// The user's number.
    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Ourselves => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => *uid,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Ourselves => "ourselves",
            Self::Other { name, .. } => name,
        }
    }
}

/// Name, uid and gid of each line that has them; root is never among them.
fn users(passwd: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (uid != 0).then_some((name, uid, gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_root_is_not_one_of_them() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nbroken\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(users(passwd).collect::<Vec<_>>(), [("postgres", 101, 104)]);
    }
}
