//! Brings the peers here, by the locks in their folder, before anything is measured.

use std::path::Path;

use anyhow::{Context, ensure};
use tokio::process::Command;

use super::known::{Language, Peer};

/// Once for each language; what fails, fails all peers of that language.
pub struct Installed {
    pub node: anyhow::Result<()>,
    pub rust: anyhow::Result<()>,
}

pub async fn install(peers: &[Peer], folder: &Path) -> Installed {
    let wants = |language| peers.iter().any(|peer| peer.language == language);
    Installed {
        node: if wants(Language::Node) { install_node(peers, folder).await } else { Ok(()) },
        rust: if wants(Language::Rust) { build_rust(folder).await } else { Ok(()) },
    }
}

async fn install_node(peers: &[Peer], folder: &Path) -> anyhow::Result<()> {
    eprintln!("installing the peers for Node");
    let npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"];
    run(&npm, folder).await?;
    if peers.iter().any(|peer| peer.name == "absurd") {
        // Its schema comes with its tool, which is a package for Python. Without it, only this peer fails: it says so.
        let pip =
            ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--upgrade"];
        let pip = [&pip[..], &["--target", "python_modules", "-r", "requirements.txt"]].concat();
        if let Err(reason) = run(&pip, folder).await {
            eprintln!("absurd: {reason:#}");
        }
    }
    Ok(())
}

async fn build_rust(folder: &Path) -> anyhow::Result<()> {
    eprintln!("building the peers in Rust");
    run(&["cargo", "build", "--locked", "--release", "--target-dir", "target"], &folder.join("rust")).await
}

async fn run(command: &[&str], folder: &Path) -> anyhow::Result<()> {
    let told = command.join(" ");
    let (program, arguments) = command.split_first().expect("a command has a program");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("`{told}` in `{}`", folder.display()))?;
    let words = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = last[last.len().saturating_sub(3)..].join(" | ");
    ensure!(output.status.success(), "`{told}` ended with {}: {last}", output.status);
    Ok(())
}
