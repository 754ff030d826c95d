//! The handle of a running cluster: where it is reached, and its end when it is dropped.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::oneshot;

use super::choose_home::Home;
use super::choose_socket_dir::SocketDir;
use super::clear_leftovers;
use super::error::{ClusterError, Doing};
use super::find_binaries;
use super::initialise::{self, SUPERUSER};
use super::launch_server::Server;
use super::lock_data_dir::{DataDirLock, lock, make_data_dir};
use super::options::ClusterOptions;
use super::privileges::RunAs;
use super::supervise::{Shared, supervise};
use super::watchdog::Watchdog;
use super::write_settings;

/// How long a shutdown may take before it is asked for again, less politely.
const PATIENCE: [(Duration, Signal); 2] =
    [(Duration::from_secs(20), Signal::QUIT), (Duration::from_secs(10), Signal::KILL)];

/// A PostgreSQL of our own, supervised while this lives. Dropping it shuts PostgreSQL down (fast) and
/// waits for that, some tenths of a second; in async code prefer [`Cluster::stop`].
#[derive(Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
    data_dir: PathBuf,
    postgres_dir: PathBuf,
    socket_dir: PathBuf,
    version: String,
    was_created: bool,
    stopped: bool,
}

impl Cluster {
    /// Returns when PostgreSQL takes connections: about a second for a new data folder, a tenth otherwise.
    /// Crash recovery is waited for, however long it takes.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let (tell, told) = oneshot::channel();
        let path = options.data_dir.clone();
        std::thread::Builder::new()
            .name("postgres-supervisor".into())
            .spawn(move || run(&options, tell))
            .doing("start a thread for", &path)?;
        told.await.expect("the supervisor tells how the start went before it ends")
    }

    /// For sqlx and `psql`; it has parameters already, so more are appended with `&`.
    pub fn url(&self, database: &str) -> String {
        let socket_dir = percent_encode(&self.socket_dir.to_string_lossy());
        format!("postgres://{SUPERUSER}@{socket_dir}:5432/{}?sslmode=disable", percent_encode(database))
    }

    /// Of the PostgreSQL that runs: `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The folder that the options named, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where PostgreSQL's files are: below [`Cluster::data_dir`], unless its user cannot come there.
    pub fn postgres_dir(&self) -> &Path {
        &self.postgres_dir
    }

    /// One line for the user when the data is not where they would look for it.
    pub fn note(&self) -> Option<String> {
        (!self.postgres_dir.starts_with(&self.data_dir)).then(|| {
            format!(
                "PostgreSQL runs as another user, who cannot enter `{}`; its files are in `{}`",
                self.data_dir.display(),
                self.postgres_dir.display()
            )
        })
    }

    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// 0 while it is down, between its death and its next start.
    pub fn postmaster_pid(&self) -> u32 {
        self.shared.postmaster().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    /// How often it died and was started again.
    pub fn restarts(&self) -> u32 {
        self.shared.restarts()
    }

    /// Whether this start made the data folder.
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    /// Shuts PostgreSQL down without blocking the runtime; afterwards the data folder is free.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(move || drop(self)).await;
        stopped.expect("stopping neither panics nor is it cancelled");
    }

    fn shut_down(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.shared.request_stop();
        for (patience, signal) in PATIENCE {
            if self.shared.wait_until_finished(patience) {
                return;
            }
            tracing::warn!(?signal, "PostgreSQL is slow to stop, asking again");
            self.shared.signal(signal);
        }
        self.shared.wait_until_finished(Duration::from_secs(5));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// The supervisor's thread, from the lock to its release.
fn run(options: &ClusterOptions, tell: oneshot::Sender<Result<Cluster, ClusterError>>) {
    let (cluster, server, child, lock) = match prepare(options) {
        Ok(prepared) => prepared,
        Err(error) => {
            // Nobody waits any more: then nobody wants to know.
            let _unheard = tell.send(Err(error));
            return;
        }
    };
    let shared = Arc::clone(&cluster.shared);
    let _finish = FinishOnDrop(Arc::clone(&shared));
    if let Err(Ok(mut unwanted)) = tell.send(Ok(cluster)) {
        // It must not wait for this very thread.
        unwanted.stopped = true;
        shared.request_stop();
    }
    supervise(server, child, &shared);
    drop(lock);
}

fn prepare(options: &ClusterOptions) -> Result<(Cluster, Server, Child, DataDirLock), ClusterError> {
    let data_dir = make_data_dir(&options.data_dir)?;
    let lock = lock(&data_dir)?;
    let existing = Home::existing(&data_dir)?;
    let run_as = RunAs::choose(existing.as_ref().map(|home| home.root.as_path()))?;
    let home = Home::make(existing, &data_dir, &run_as)?;
    clear_leftovers::clear(&home)?;

    let data = home.data();
    let data_version = initialise::data_version(&home)?;
    let wanted = data_version.as_deref().map(|version| (data.as_path(), version));
    let binaries = find_binaries::find(options.bin_dir.as_deref(), &run_as, wanted)?;
    let mut watchdog = Watchdog::new(run_as.clone());
    if data_version.is_none() {
        initialise::initialise(&home, &binaries, &run_as, options.durability, &mut watchdog)?;
    }
    let socket_dir = SocketDir::prepare(&home, &run_as)?;
    write_settings::write(&home, &socket_dir.path, options, &run_as)?;

    let shared = Arc::new(Shared::default());
    let mut cluster = Cluster {
        shared: Arc::clone(&shared),
        data_dir,
        postgres_dir: home.root.clone(),
        socket_dir: socket_dir.path.clone(),
        version: binaries.version.clone(),
        was_created: data_version.is_none(),
        // There is nothing to stop yet.
        stopped: true,
    };
    let mut server = Server { home, binaries, run_as, socket_dir, watchdog };
    let mut child = server.launch()?;
    server.wait_until_ready(&mut child)?;
    shared.is_running(&child);
    cluster.stopped = false;
    Ok((cluster, server, child, lock))
}

/// Whoever waits for the supervisor is told, however it ends.
struct FinishOnDrop(Arc<Shared>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot end in an error");
        }
        encoded
    })
}
