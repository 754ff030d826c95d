//! The supervisor: a thread of its own that waits for PostgreSQL's end and starts it again.
//!
//! A thread and not a task, because a cluster may be shared by several runtimes (tests) and must
//! outlive each of them.

use std::process::{Child, ExitStatus};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::launch_server::Server;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Who lived this long did not die of its start: the pause begins again at the first.
const STEADY: Duration = Duration::from_secs(10);

/// What the supervisor and the handle know of each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Set only while this number cannot be anybody else's: before the dead one is reaped it is cleared.
    postmaster: Option<Pid>,
    stopping: bool,
    finished: bool,
    restarts: u32,
}

impl Shared {
    pub(super) fn postmaster(&self) -> Option<Pid> {
        self.state().postmaster
    }

    pub(super) fn restarts(&self) -> u32 {
        self.state().restarts
    }

    /// From now on nothing is started again; what runs is asked to end.
    pub(super) fn request_stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
        self.signal(Signal::INT);
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.state().postmaster {
            // It is ours and not yet reaped, so the signal arrives, if only at a dead process.
            let _sent = kill_process(pid, signal);
        }
    }

    /// Whether the supervisor has ended within this time.
    pub(super) fn wait_until_finished(&self, limit: Duration) -> bool {
        let wait = self.changed.wait_timeout_while(self.state(), limit, |state| !state.finished);
        wait.unwrap_or_else(PoisonError::into_inner).0.finished
    }

    pub(super) fn finish(&self) {
        self.state().finished = true;
        self.changed.notify_all();
    }

    /// Whether we were asked to stop within this time.
    fn wait_for_stop(&self, limit: Duration) -> bool {
        let wait = self.changed.wait_timeout_while(self.state(), limit, |state| !state.stopping);
        wait.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// This child serves now. A stop that was asked for in the meantime is passed on to it.
    pub(super) fn is_running(&self, child: &Child) {
        let stopping = {
            let mut state = self.state();
            state.postmaster = Some(Pid::from_child(child));
            state.stopping
        };
        if stopping {
            self.signal(Signal::INT);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns when it was asked to stop and PostgreSQL has ended.
pub(super) fn supervise(mut server: Server, mut child: Child, shared: &Shared) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let status = wait_for_end(&mut child, shared);
        server.watchdog.release();
        if started.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        if shared.state().stopping {
            break;
        }
        tracing::warn!(%status, "PostgreSQL ended unexpectedly, starting it again");
        let Some(next) = launch_again(&mut server, shared, &mut pause) else { break };
        child = next;
    }
    server.socket_dir.remove_if_outside();
}

fn launch_again(server: &mut Server, shared: &Shared, pause: &mut Duration) -> Option<Child> {
    loop {
        if shared.wait_for_stop(*pause) {
            return None;
        }
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        match server.launch() {
            Ok(child) => {
                shared.state().restarts += 1;
                shared.is_running(&child);
                tracing::info!(pid = child.id(), "PostgreSQL started again");
                return Some(child);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "PostgreSQL did not start again, trying on");
            }
        }
    }
}

/// Waits without reaping first, so that nobody signals a number that the kernel has given away.
fn wait_for_end(child: &mut Child, shared: &Shared) -> String {
    let pid = Pid::from_child(child);
    while waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    shared.state().postmaster = None;
    child.wait().map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string())
}
