//! How much processor time a measurement took, ours and PostgreSQL's apart: what the wall clock does not
//! tell when somebody else uses the machine.

use std::time::Duration;

use trunkline_store::cluster::Cluster;

/// From here on.
pub struct ProcessorTime {
    postmaster: u32,
    ours: Vec<u32>,
    begun: Option<(Duration, Duration)>,
}

/// Microseconds of processor time for one of many.
pub struct Shares {
    pub ours: f64,
    pub postgres: f64,
}

impl ProcessorTime {
    pub fn begin(cluster: &Cluster) -> Self {
        Self::of(cluster, vec![std::process::id()])
    }

    /// Where the work is done by these processes.
    pub fn of(cluster: &Cluster, ours: Vec<u32>) -> Self {
        let postmaster = cluster.postmaster_pid();
        let begun = used(postmaster, &ours);
        Self { postmaster, ours, begun }
    }

    /// For each of `count`; `None` where the system does not tell.
    pub fn shares(&self, count: usize) -> Option<Shares> {
        let (before, now) = (self.begun?, used(self.postmaster, &self.ours)?);
        let share = |before: Duration, now: Duration| {
            now.saturating_sub(before).as_secs_f64() * 1e6
                / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
        };
        Some(Shares { ours: share(before.0, now.0), postgres: share(before.1, now.1) })
    }
}

/// A process and all that it started.
pub fn with_children(process: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> =
        running().filter_map(|child| Some((child, Stat::read(child)?.parent))).collect();
    let mut found = vec![process];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
        at += 1;
    }
    found
}

fn running() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
}

/// Of our processes, and of the postmaster with its children, those that ended included.
fn used(postmaster: u32, ours: &[u32]) -> Option<(Duration, Duration)> {
    let ours = ours.iter().map(|process| Some(Stat::read(*process)?.own)).sum::<Option<Duration>>()?;
    let stat = Stat::read(postmaster)?;
    let mut postgres = stat.own + stat.ended_children;
    // A process may end while we look.
    let children = running().filter_map(Stat::read).filter(|stat| stat.parent == postmaster);
    postgres += children.map(|child| child.own).sum::<Duration>();
    Some((ours, postgres))
}

struct Stat {
    parent: u32,
    own: Duration,
    ended_children: Duration,
}

impl Stat {
    /// `/proc/{process}/stat`: behind the name, which may hold anything, the numbers are in a fixed order.
    fn read(process: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let per_second = rustix::param::clock_ticks_per_second();
        let time =
            |user: usize| Some(Duration::from_millis((ticks(user)? + ticks(user + 1)?) * 1_000 / per_second));
        Some(Self { parent: fields.get(1)?.parse().ok()?, own: time(11)?, ended_children: time(13)? })
    }
}
