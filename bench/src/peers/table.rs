//! The rows as Markdown, each figure with how many times better ours is.

use std::fmt::Write as _;

use super::known::Kind;
use super::program::Part;
use super::row::{Percentiles, Row};
use crate::report::grouped;

const HEAD: &str = "\
| | version | steps/s | × | one step: p50, p99 (ms) | × | five steps: p50, p99 (ms) | × | bytes per parked instance | × |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";

/// `ours` is compared with all; `ours_with_starts` with those whose starts are within the time.
pub fn table(ours: &Row, ours_with_starts: &Row, peers: &[Row]) -> String {
    let mut text = HEAD.to_owned();
    for row in [ours, ours_with_starts].into_iter().chain(peers) {
        let base = match row.kind {
            Kind::Workflows => ours.per_second(),
            Kind::WorkflowsWithStarts => ours_with_starts.per_second(),
            Kind::Queue => None,
        };
        let cells = [
            row.name.clone(),
            row.version.clone(),
            shown(row, Part::Steps, row.per_second().map(|per_second| rate(row, per_second))),
            times(base, row.per_second()),
            shown(row, Part::OneStep, row.one_step.map(milliseconds)),
            times(row.one_step.map(|of| of.p50), ours.one_step.map(|of| of.p50)),
            shown(row, Part::FiveSteps, row.five_steps.map(milliseconds)),
            times(row.five_steps.map(|of| of.p50), ours.five_steps.map(|of| of.p50)),
            shown(row, Part::Parked, row.bytes.map(grouped)),
            times(row.bytes, ours.bytes),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str("\n×: how many times better Trunkline is, its p50 for latencies.\n\n");
    for row in [ours, ours_with_starts].into_iter().chain(peers) {
        let settings: Vec<&str> = row.settings.iter().map(|(_, words)| words.as_str()).collect();
        let _ = writeln!(text, "- {}: {}", row.name, settings.join("; "));
        for (part, reason) in &row.failures {
            let _ = writeln!(text, "  - FAILED, {}: {reason}", part.name());
        }
    }
    text
}

fn rate(row: &Row, per_second: f64) -> String {
    let jobs = if row.kind == Kind::Queue { " jobs" } else { "" };
    grouped(per_second) + jobs
}

fn milliseconds(of: Percentiles) -> String {
    format!("{:.1}, {:.1}", of.p50, of.p99)
}

fn shown(row: &Row, part: Part, value: Option<String>) -> String {
    value.unwrap_or_else(|| if row.failed(part) { "FAILED".to_owned() } else { String::new() })
}

fn times(better: Option<f64>, worse: Option<f64>) -> String {
    match (better, worse) {
        (Some(better), Some(worse)) => format!("{:.1}", better / worse),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_shows_its_figures_its_ratios_and_its_failures() {
        let ours = Row {
            version: "0.1.0".to_owned(),
            rounds: vec![30_000.0],
            one_step: Some(Percentiles { p50: 4.0, p99: 9.0 }),
            bytes: Some(400.0),
            ..Row::new("Trunkline", Kind::Workflows)
        };
        let mut peer = Row::new("peer", Kind::Workflows);
        for per_second in [900.0, 1_000.0, 1_100.0] {
            let printed = json!({"version": "1.2.3", "settings": "two workers", "perSecond": per_second});
            peer.add(Part::Steps, Ok(printed));
        }
        peer.add(Part::OneStep, Err(anyhow::anyhow!("no such table")));
        let text = table(&ours, &Row::new("", Kind::WorkflowsWithStarts), &[peer]);
        assert!(text.contains("| peer | 1.2.3 | 1,000 | 30.0 | FAILED |  |  |  |  |  |\n"), "{text}");
        assert!(text.contains("- peer: two workers\n  - FAILED, latency-1: no such table\n"), "{text}");
    }

    #[test]
    fn jobs_are_not_compared_with_steps() {
        let ours = Row { rounds: vec![30_000.0], ..Row::new("Trunkline", Kind::Workflows) };
        let queue = Row { rounds: vec![40_000.0], ..Row::new("queue", Kind::Queue) };
        let text = table(&ours, &Row::new("", Kind::WorkflowsWithStarts), &[queue]);
        assert!(text.contains("| queue |  | 40,000 jobs |  |"), "{text}");
    }
}
