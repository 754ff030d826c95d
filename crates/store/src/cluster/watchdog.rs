//! Ends our PostgreSQL when we die, however we die.
//!
//! A shell reads process numbers from a pipe whose other end only we hold. When we end, the kernel
//! closes the pipe; the shell then ends the process that was named last.

use std::io::Write;
use std::process::{Child, Stdio};

use super::privileges::RunAs;

/// SIGINT asks for a fast shutdown, SIGQUIT for an immediate one; an empty line means: nothing to end.
/// The signals that a terminal or a service manager sends to everybody are not for the watchdog.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
pid=
while read -r line; do pid=$line; done
[ -n "$pid" ] && kill -INT "$pid" || exit 0
seconds=0
while kill -0 "$pid"; do
  [ "$seconds" -eq 20 ] && kill -QUIT "$pid"
  [ "$seconds" -eq 40 ] && kill -KILL "$pid" && exit 0
  seconds=$((seconds + 1))
  sleep 1
done
"#;

#[derive(Debug)]
pub(super) struct Watchdog {
    run_as: RunAs,
    shell: Option<Child>,
}

impl Watchdog {
    /// It runs as PostgreSQL's user, who may send it signals, and nothing more.
    pub(super) fn new(run_as: RunAs) -> Self {
        Self { run_as, shell: None }
    }

    /// From now on this process goes when we go.
    pub(super) fn guard(&mut self, pid: u32) {
        if self.tell(&pid.to_string()).is_err() {
            self.leave();
            if let Err(error) = self.spawn().and_then(|()| self.tell(&pid.to_string())) {
                tracing::warn!(%error, "no watchdog: PostgreSQL would outlive this process if it is killed");
            }
        }
    }

    /// The guarded process has ended; its number may soon be somebody else's.
    pub(super) fn release(&mut self) {
        if self.tell("").is_err() {
            self.leave();
        }
    }

    fn spawn(&mut self) -> std::io::Result<()> {
        let mut command = self.run_as.command("/bin/sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.shell = Some(command.spawn()?);
        Ok(())
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        let stdin = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut());
        let stdin = stdin.ok_or(std::io::ErrorKind::BrokenPipe)?;
        stdin.write_all(format!("{line}\n").as_bytes())
    }

    fn leave(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            let _status = shell.wait();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.leave();
    }
}
