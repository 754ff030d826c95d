//! The figures of a run as files, so that runs can be compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use trunkline_connectors::clock;

use crate::machine::Machine;
use crate::report::Figure;

/// `2026-11-21T1530-all.json` and `.md`. Answers the path of the first.
pub fn write(folder: &Path, parts: &str, machine: &Machine, figures: &[Figure]) -> anyhow::Result<PathBuf> {
    let now = clock::now();
    let name = format!("{}-{parts}", now.format("%Y-%m-%dT%H%M"));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let write = |extension: &str, text: String| {
        let path = folder.join(format!("{name}.{extension}"));
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        anyhow::Ok(path)
    };
    let mut table = format!(
        "# {} UTC, `{parts}`\n\n{}\n\n| | | | target | | |\n| --- | --- | ---: | ---: | --- | --- |\n",
        now.format("%Y-%m-%d %H:%M"),
        machine.describe()
    );
    for figure in figures {
        let _ = writeln!(table, "| {} |", figure.row().join(" | "));
    }
    write("md", table)?;
    let figures: Vec<_> = figures.iter().map(Figure::to_json).collect();
    let time = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    write("json", format!("{:#}\n", json!({"at": time, "machine": machine.to_json(), "figures": figures})))
}
