//! What processes take, by the kernel.

use std::fmt::Display;

use crate::processes::WorkerProcess;

/// Resident, at most, so far: MiB.
pub fn peak_mebibytes(process: &WorkerProcess) -> usize {
    kibibytes(process.pid(), "status", "VmHWM:").unwrap() / 1024
}

/// Resident now: KiB.
pub fn resident(process: i32) -> usize {
    kibibytes(process, "status", "VmRSS:").unwrap()
}

/// Of a postmaster and its children, all but what they share, which is buffers, whose size is a setting. KiB.
pub fn private_with_children(postmaster: u32) -> usize {
    let children = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
    let all = children.split_whitespace().map(str::to_owned).chain([postmaster.to_string()]);
    // One may end meanwhile.
    all.map(|process| kibibytes(process, "smaps_rollup", "Private_Dirty:").unwrap_or_default()).sum()
}

fn kibibytes(process: impl Display, file: &str, name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}
