//! Takes from the process what a script has no use for.

use std::fs;
use std::time::Duration;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};

use crate::Limits;

/// Memory beyond the sandboxes: the messages, the tables of phone numbers, the allocator's reserves.
const SPARE_BYTES: u64 = 384 * 1024 * 1024;

/// How much longer than a script's time the process may run if even the parent does not end it.
const SPARE_SECONDS: u64 = 10;

/// Ends with the parent, and never gets more rights than it has.
pub(super) fn leave_with_parent() -> rustix::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

/// No new files, no core dumps, a bounded address space.
pub(super) fn limit_resources(limits: &Limits) -> std::io::Result<()> {
    let memory = u64::try_from(limits.memory_bytes).unwrap_or(u64::MAX).saturating_mul(4);
    let address_space = virtual_size()?.saturating_add(SPARE_BYTES).saturating_add(memory);
    set(Resource::As, address_space)?;
    set(Resource::Core, 0)?;
    set(Resource::Fsize, 0)?;
    set(Resource::Nofile, 0)?;
    Ok(())
}

/// Lets the kernel end the process some seconds of processor time from now.
pub(super) struct ProcessorLimit {
    until: u64,
}

impl ProcessorLimit {
    pub fn new() -> ProcessorLimit {
        ProcessorLimit { until: 0 }
    }

    /// Moves the limit ahead of the time that is used, which is a system call only every few seconds.
    pub fn extend(&mut self, used: Duration, timeout: Duration) {
        let needed = used.as_secs() + timeout.as_secs() + SPARE_SECONDS;
        if self.until < needed {
            self.until = needed + SPARE_SECONDS;
            // Only the soft limit, because a hard one could not be raised again.
            let limit = Rlimit { current: Some(self.until), maximum: None };
            let _ = setrlimit(Resource::Cpu, limit);
        }
    }
}

fn set(resource: Resource, value: u64) -> rustix::io::Result<()> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

/// The address space that the process has now, in bytes.
fn virtual_size() -> std::io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .and_then(|size| size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.map(|size| size * 1024).ok_or_else(|| std::io::Error::other("no VmSize in /proc/self/status"))
}
