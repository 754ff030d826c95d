//! Starts `postgres` in a prepared home and waits until it takes connections.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use super::choose_home::Home;
use super::choose_socket_dir::SocketDir;
use super::clear_leftovers;
use super::error::{ClusterError, Doing};
use super::find_binaries::Binaries;
use super::privileges::RunAs;
use super::watchdog::Watchdog;

const PAUSE: Duration = Duration::from_millis(5);
/// The line of `postmaster.pid` that says how far the postmaster is, counted from 0.
const STATUS_LINE: usize = 7;
/// How much of a log is worth repeating in an error.
const LAST_LINES: usize = 4;

/// All that is needed to start it, and to start it again.
#[derive(Debug)]
pub(super) struct Server {
    pub home: Home,
    pub binaries: Binaries,
    pub run_as: RunAs,
    pub socket_dir: SocketDir,
    pub watchdog: Watchdog,
}

impl Server {
    pub(super) fn launch(&mut self) -> Result<Child, ClusterError> {
        clear_leftovers::clear(&self.home)?;
        let log = self.open_start_log()?;
        let errors = log.try_clone().doing("open", &self.start_log())?;
        let program = self.binaries.dir.join("postgres");
        let mut command = self.run_as.command(&program);
        command.arg("-D").arg(self.home.data()).current_dir(&self.home.root).stdout(log).stderr(errors);
        let child = command.spawn().doing("run", &program)?;
        self.watchdog.guard(child.id());
        Ok(child)
    }

    /// Reads what the postmaster writes down about itself, as `pg_ctl` does. It may take as long as it
    /// needs (crash recovery), as long as it lives.
    pub(super) fn wait_until_ready(&mut self, child: &mut Child) -> Result<(), ClusterError> {
        let pid = child.id().to_string();
        let pid_file = self.home.data().join("postmaster.pid");
        loop {
            if let Some(status) = child.try_wait().doing("wait for", &self.binaries.dir)? {
                self.watchdog.release();
                let (log, last_words) = self.last_words();
                return Err(ClusterError::DidNotStart { status: status.to_string(), log, last_words });
            }
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            if lines.first() == Some(&pid.as_str()) && lines.get(STATUS_LINE) == Some(&"ready") {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn start_log(&self) -> PathBuf {
        self.home.root.join("start.log")
    }

    /// Anew each time, so that it holds this start only; see `write_settings` for `create_new`.
    fn open_start_log(&self) -> Result<File, ClusterError> {
        let path = self.start_log();
        if path.exists() {
            std::fs::remove_file(&path).doing("remove", &path)?;
        }
        File::options().append(true).create_new(true).mode(0o600).open(&path).doing("write", &path)
    }

    /// From the log that has them: before its own log is open, PostgreSQL writes to its standard error.
    fn last_words(&self) -> (PathBuf, String) {
        let start_log = self.start_log();
        let said = std::fs::read_to_string(&start_log).unwrap_or_default();
        if said.contains("Future log output will appear")
            && let Some(newest) = newest_file(&self.home.data().join("log"))
        {
            let said = std::fs::read_to_string(&newest).unwrap_or_default();
            return (newest, last_lines(&said));
        }
        (start_log, last_lines(&said))
    }
}

fn newest_file(dir: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(dir).ok()?.flatten();
    files.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok()).map(|file| file.path())
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
}
