//! The server that is measured over HTTP: this very build of `trunkline`, in a process of its own.
//!
//! Its program is our own file, which is `trunkline` when its first argument says so: there is nothing else
//! to build and nothing that could be older.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use trunkline::cli::{self, Cli};

use crate::TRUNKLINE;
use crate::database::MASTER_KEY;
use crate::http_connection::{self, HttpConnection};
use crate::processor_time::with_children;

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    log: PathBuf,
}

/// What runs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `trunkline serve`: the API and nothing else.
    Serve,
    /// `trunkline dev` with one worker.
    Dev,
}

impl Server {
    /// Returns when it takes requests. `folder` gets its log.
    pub async fn start(role: Role, database_url: &str, folder: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let log = folder.join("server.log");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(TRUNKLINE);
        match role {
            Role::Serve => command.arg("serve"),
            Role::Dev => command.args(["dev", "--workers", "1", "--data-dir"]).arg(folder.join("dev")),
        };
        command.args(["--listen", &address.to_string(), "--database-url", database_url]);
        command.env("TRUNKLINE_MASTER_KEY", MASTER_KEY);
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self { process, address, log };
        server.until_ready().await.with_context(|| server.last_words())?;
        Ok(server)
    }

    async fn until_ready(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let request = http_connection::get("/readyz", None);
        loop {
            if let Ok(mut connection) = HttpConnection::open(self.address).await
                && connection.call(&request).await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended: {status}");
            }
            ensure!(begun.elapsed() < READY_WITHIN, "the server is not ready after {READY_WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// It and what it started.
    pub fn processes(&self) -> anyhow::Result<Vec<u32>> {
        Ok(with_children(self.process.id().context("the server has ended by itself")?))
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let process = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(process.context("the server has ended by itself")?, Signal::TERM)?;
        let ended = tokio::time::timeout(STOPPED_WITHIN, self.process.wait()).await;
        let status = ended.context("the server does not stop")??;
        ensure!(status.success(), "the server ended with {status}: {}", self.last_words());
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        format!("its log ends with: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" | "))
    }
}

/// Nobody else asks for ports while we measure, so it is still free in a moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// What a process does whose first argument is [`TRUNKLINE`].
pub fn be_trunkline() -> anyhow::Result<ExitCode> {
    // Whoever ends the benchmark, by whatever signal, ends the server.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    Ok(cli::run(Cli::parse_from(std::env::args().skip(1)))?)
}
