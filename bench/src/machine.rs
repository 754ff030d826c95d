//! The machine it ran on: what the figures depend on.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trunkline_store::cluster::Cluster;

pub struct Machine {
    cores: usize,
    processor: String,
    postgres: String,
    /// Microseconds for a page written and on disk, in the middle of many.
    fsync: f64,
    /// How much of the processors others used, in per cent, in the second before the run.
    busy: Option<f64>,
}

impl Machine {
    pub async fn look(cluster: &Cluster, folder: &Path) -> anyhow::Result<Self> {
        let busy = busy().await;
        let folder = folder.to_owned();
        let fsync = tokio::task::spawn_blocking(move || measure_fsync(&folder)).await??;
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: processor(),
            postgres: cluster.version().to_owned(),
            fsync,
            busy,
        })
    }

    pub fn describe(&self) -> String {
        let Self { cores, processor, postgres, fsync, .. } = self;
        let busy = self.busy.map_or_else(String::new, |busy| format!(", {busy:.0} % busy before"));
        format!("{cores} cores ({processor}){busy}; PostgreSQL {postgres}, fsync on, {fsync:.0} µs each")
    }

    pub fn to_json(&self) -> Value {
        json!({
            "cores": self.cores,
            "processor": self.processor,
            "postgres": self.postgres,
            "fsyncMicroseconds": self.fsync,
            "busyBeforePercent": self.busy,
        })
    }
}

/// As a log writer does it: a page, over and over, in a file that has its size already.
fn measure_fsync(folder: &Path) -> std::io::Result<f64> {
    const TIMES: usize = 200;
    let page = [1; 8192];
    let path = folder.join("fsync");
    let mut file = File::create(&path)?;
    file.write_all(&page)?;
    file.sync_all()?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        std::io::Seek::rewind(&mut file)?;
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    took.sort_unstable();
    Ok(took[TIMES / 2].as_secs_f64() * 1e6)
}

fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

async fn busy() -> Option<f64> {
    let (idle, all) = processor_ticks()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (idle, all) = processor_ticks().map(|(later, total)| (later - idle, total - all))?;
    Some(100.0 * (1.0 - idle / all.max(1.0)))
}

/// Idle and all ticks of all processors since the machine's start.
fn processor_ticks() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|tick| tick.parse().ok())
        .collect();
    Some((ticks.get(3)? + ticks.get(4)?, ticks.iter().sum()))
}
