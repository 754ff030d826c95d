//! What a batch would be about.

use serde_json::Value;

use super::progress::count;
use crate::cli::output::cell;
use crate::cli::print_table::table;

/// Characters of an error in a table.
const LONGEST_ERROR: usize = 80;

pub(super) fn show_dry_run(dry: &Value) {
    let more = if dry["hasMore"] == true { "more than " } else { "" };
    println!("{more}{}", count(&dry["total"], "instance"));
    let groups = |name: &str| dry[name].as_array().cloned().unwrap_or_default();
    let versions: Vec<_> = groups("byVersion")
        .iter()
        .map(|group| {
            [
                cell(&group["count"]),
                cell(&group["version"]),
                cell(&group["name"]),
                cell(&group["definitionId"]),
            ]
        })
        .collect();
    show(&table(["count", "version", "definition", "id"], &versions));
    let statuses: Vec<_> =
        groups("byStatus").iter().map(|group| [cell(&group["count"]), cell(&group["status"])]).collect();
    show(&table(["count", "status"], &statuses));
    let steps: Vec<_> =
        groups("byStep").iter().map(|group| [cell(&group["count"]), cell(&group["step"])]).collect();
    show(&table(["count", "failed at"], &steps));
    let errors: Vec<_> = groups("byError")
        .iter()
        .map(|group| {
            let error: String = cell(&group["error"]).chars().take(LONGEST_ERROR).collect();
            [cell(&group["count"]), cell(&group["fingerprint"]), error]
        })
        .collect();
    show(&table(["count", "fingerprint", "error, for example"], &errors));
}

/// With a line between it and what was before.
fn show(table: &str) {
    if !table.is_empty() {
        print!("\n{table}");
    }
}
