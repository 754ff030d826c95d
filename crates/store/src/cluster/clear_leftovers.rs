//! Ends the server processes that an earlier life left in a home.
//!
//! Two ways they come about: we were killed together with our watchdog, or the postmaster alone was
//! killed and its backends run on. A backend notices only when it next waits for something, and until
//! then PostgreSQL rightly refuses to start. What they were doing is lost either way: crash recovery
//! follows. We hold the lock of the data folder here, so nobody else can be using these processes.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::choose_home::Home;
use super::error::{ClusterError, Doing};

const PAUSE: Duration = Duration::from_millis(5);
/// A fast shutdown writes a checkpoint; it gets this long.
const UNTIL_QUIT: Duration = Duration::from_secs(15);
const UNTIL_KILL: Duration = Duration::from_secs(20);
const UNTIL_GIVEN_UP: Duration = Duration::from_secs(30);

struct ServerProcess {
    pid: Pid,
    /// The postmaster or `initdb`: it ends its children itself.
    leads: bool,
}

pub(super) fn clear(home: &Home) -> Result<(), ClusterError> {
    let begun = Instant::now();
    let mut told = HashSet::new();
    loop {
        let left = server_processes(home);
        let Some(last) = left.last() else { break };
        if begun.elapsed() > UNTIL_GIVEN_UP {
            return Err(ClusterError::LeftBehind {
                pid: last.pid.as_raw_nonzero().get(),
                path: home.root.clone(),
            });
        }
        let led = left.iter().any(|process| process.leads);
        for process in &left {
            if let Some(signal) = signal_for(process, led, begun.elapsed())
                && told.insert((process.pid, signal.as_raw()))
            {
                tracing::info!(pid = %process.pid.as_raw_nonzero(), "ending a server process of an earlier run");
                // It may have ended by itself since we looked.
                let _gone = kill_process(process.pid, signal);
            }
        }
        std::thread::sleep(PAUSE);
    }
    remove_stale_pid_file(&home.data())
}

fn signal_for(process: &ServerProcess, led: bool, waited: Duration) -> Option<Signal> {
    if waited > UNTIL_KILL {
        Some(Signal::KILL)
    } else if waited > UNTIL_QUIT {
        Some(Signal::QUIT)
    } else if process.leads {
        Some(Signal::INT)
    } else {
        // Without a postmaster: what the postmaster sends to all when one of them has crashed.
        (!led).then_some(Signal::QUIT)
    }
}

/// All processes of PostgreSQL that work in this home: they keep their data folder as current folder. The same path is
/// another folder to those in a container, whose processes its host sees as well.
/// Systems without `/proc` have none to show; there PostgreSQL's own checks and our watchdog must do.
fn server_processes(home: &Home) -> Vec<ServerProcess> {
    let postmaster = pid_file_pid(&home.data());
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let folder = |path: &Path| std::fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
    let root = folder(&home.root);
    let ours = processes.flatten().filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        let is_initdb = name.trim_end() == "initdb";
        if !is_initdb && name.trim_end() != "postgres" {
            return None;
        }
        let works_in = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let seen_by_it = entry.path().join("root").join(home.root.strip_prefix("/").ok()?);
        let is_ours = works_in.starts_with(&home.root) && folder(&seen_by_it) == root;
        is_ours.then_some(ServerProcess { pid, leads: is_initdb || Some(pid) == postmaster })
    });
    ours.collect()
}

fn pid_file_pid(data: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// PostgreSQL sees through a stale file by itself, unless its number is in use again (after a reboot, or
/// by a zombie in a container whose first process does not reap). Then it would never start.
fn remove_stale_pid_file(data: &Path) -> Result<(), ClusterError> {
    let can_look = Path::new("/proc/self/cwd").exists();
    let taken = pid_file_pid(data).is_some_and(|pid| test_kill_process(pid).is_ok());
    if can_look && taken {
        let file = data.join("postmaster.pid");
        std::fs::remove_file(&file).doing("remove", &file)?;
    }
    Ok(())
}
