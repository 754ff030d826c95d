//! The private PostgreSQL cluster of `dev`, the tests and the benchmarks: found, initialised,
//! started, supervised and stopped by us, on the machine's own binaries.
//!
//! ```text
//!  our process ── supervisor thread ──┬── postgres            (own process group, maybe another user)
//!                    holds the lock   └── sh, the watchdog    (reads a pipe that only we hold open)
//! ```
//!
//! *Who ends whom.* [`Cluster`] dropped or stopped: fast shutdown, waited for. PostgreSQL dies: the
//! supervisor starts it again. We die, even of `kill -9`: the kernel closes the pipe, and the
//! watchdog shuts PostgreSQL down. All three die: the next start finds what is left and ends it.
//! A parent-death signal is no use here: it follows the thread that spawned the child.
//!
//! ```text
//!  <data-dir>/lock              held while we run; says which process holds it
//!  <data-dir>/postgres/         the home: belongs to the user that PostgreSQL runs as, mode 0700
//!      data/                    PostgreSQL's data folder, complete from the moment it has this name
//!      data.new/                what an unfinished initdb left; wiped
//!      socket/                  where we connect, when the path is short enough
//!      start.log                what postgres says before its own log (data/log/) is open
//!  <data-dir>/postgres-folder   instead of postgres/, when that user cannot come here: where it is
//! ```

mod choose_home;
mod choose_socket_dir;
mod clear_leftovers;
mod error;
mod find_binaries;
mod initialise;
mod launch_server;
mod lock_data_dir;
mod options;
mod privileges;
mod remove;
mod running_cluster;
mod supervise;
mod watchdog;
mod write_settings;

pub use error::ClusterError;
pub use options::{ClusterOptions, Durability};
pub use remove::remove;
pub use running_cluster::Cluster;
