//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::peers;

/// Measures Trunkline on a private PostgreSQL. Targets that are missed are reported and end with 0; errors
/// and wrong results do not.
#[derive(Debug, Parser)]
#[command(name = "trunkline-bench")]
pub struct Options {
    /// Run these parts only
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<Part>,
    /// Measure these peers beside Trunkline, and nothing else: `all`, or some of them
    #[arg(long, value_delimiter = ',', value_name = "PEERS", value_parser = peers::names(), conflicts_with = "only")]
    pub peers: Option<Vec<String>>,
    /// Where the programs are that measure the peers
    #[arg(long, value_name = "FOLDER", default_value = "bench/peers")]
    pub peers_folder: PathBuf,
    /// Write the figures into this folder, too: as JSON and as Markdown, named by the time and the parts
    #[arg(long, value_name = "FOLDER")]
    pub results: Option<PathBuf>,
    /// Where the database lies while it runs; must be a disk, not memory
    #[arg(long, value_name = "FOLDER", default_value_os_t = disk())]
    pub folder: PathBuf,
    /// How often the parts about steps per second are measured; the middle one counts
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub rounds: u8,
    /// How long each part about latency and starts takes; (c) takes it twice, (d) a third of it twice, (p) one and a third, (batch) three times,
    /// (h) ten times
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(3..=600))]
    pub seconds: u32,
    /// How many instances (s) searches among, and wait in (p), (t) and (h)
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(40_000..=100_000_000))]
    pub instances: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Steps per second of the engine
    A,
    /// Steps per second of 1, 2, 4 and 8 worker processes
    W,
    /// Steps per second of bare SQL
    B,
    /// Steps per second of apalis-postgres
    Stock,
    /// Latency from a start to its completion
    C,
    /// Starts per second
    D,
    /// Pages of a search among many instances
    S,
    /// Batches, and what callers feel of them
    Batch,
    /// Many instances that wait for a reply
    P,
    /// Many timers that are due at once
    T,
    /// Minutes of full load while somebody holds a snapshot
    H,
    /// Expressions
    X,
}

impl Options {
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// `a-b`, or `all`.
    pub fn parts(&self) -> String {
        let names: Vec<String> = self
            .only
            .iter()
            .filter_map(|part| Some(part.to_possible_value()?.get_name().to_owned()))
            .collect();
        if names.is_empty() { "all".to_owned() } else { names.join("-") }
    }
}

/// `/tmp` is memory on many machines, and a commit to memory costs nothing.
fn disk() -> PathBuf {
    let disk = PathBuf::from("/var/tmp");
    if disk.is_dir() { disk } else { std::env::temp_dir() }
}
