//! What a caller says about a cluster before it starts.

use std::path::PathBuf;

/// How a cluster is run. [`ClusterOptions::new`] gives what `dev` uses.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Our folder, made when it is missing. PostgreSQL's files lie below it, or where the note in it says.
    pub data_dir: PathBuf,
    pub durability: Durability,
    /// `postgresql.conf` settings on top of ours; the last one of a name wins.
    pub settings: Vec<(String, String)>,
    pub max_connections: u32,
    /// The folder with `initdb` and `postgres`; without it they are looked for.
    pub bin_dir: Option<PathBuf>,
}

impl ClusterOptions {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            durability: Durability::Full,
            settings: Vec::new(),
            max_connections: 100,
            bin_dir: None,
        }
    }

    /// The same for tests, whose data may go with the machine.
    pub fn for_tests(data_dir: impl Into<PathBuf>) -> Self {
        Self { durability: Durability::ForTests, ..Self::new(data_dir) }
    }
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything up to the loss of the disk: `fsync` and `synchronous_commit` on.
    Full,
    /// The death of all processes, but not of the machine: `fsync` off, `synchronous_commit` on.
    ForTests,
}
