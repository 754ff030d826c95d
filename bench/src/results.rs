//! The figures of a run as files, so that runs can be compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use trunkline_connectors::clock;

use crate::machine::Machine;
use crate::report::Figure;

/// `2026-11-21T1530-all.json` and `.md`. Answers the path of the first.
pub fn write(folder: &Path, parts: &str, machine: &Machine, figures: &[Figure]) -> anyhow::Result<PathBuf> {
    let mut table = "| | | | target | | |\n| --- | --- | ---: | ---: | --- | --- |\n".to_owned();
    for figure in figures {
        let _ = writeln!(table, "| {} |", figure.row().join(" | "));
    }
    let figures: Vec<_> = figures.iter().map(Figure::to_json).collect();
    write_as(folder, parts, machine, &table, json!({"figures": figures}))
}

/// The same for any table; `json` is what there is beside the time and the machine.
pub fn write_as(
    folder: &Path,
    parts: &str,
    machine: &Machine,
    table: &str,
    mut json: Value,
) -> anyhow::Result<PathBuf> {
    let now = clock::now();
    let name = format!("{}-{parts}", now.format("%Y-%m-%dT%H%M"));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let write = |extension: &str, text: String| {
        let path = folder.join(format!("{name}.{extension}"));
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        anyhow::Ok(path)
    };
    let head = format!("# {} UTC, `{parts}`\n\n{}\n\n", now.format("%Y-%m-%d %H:%M"), machine.describe());
    write("md", head + table)?;
    json["at"] = json!(now.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    json["machine"] = machine.to_json();
    write("json", format!("{json:#}\n"))
}
