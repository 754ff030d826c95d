//! The metrics that are declared, documented, drawn and alerted on are the same ones.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use trunkline_telemetry::{Kind, Metric, declared};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Every word in it that is the name of a metric of ours.
fn names(text: &str) -> HashSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.filter(|word| word.starts_with("trunkline_")).collect()
}

/// A histogram is asked for by its parts.
fn find(name: &str) -> Option<&'static Metric> {
    declared::ALL.iter().find(|metric| match metric.kind {
        Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| name.strip_suffix(part).is_some_and(|family| family == metric.name)),
        Kind::Counter | Kind::Gauge => metric.name == name,
    })
}

fn expressions_of_dashboard() -> Vec<String> {
    fn gather(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("expr").map(|expression| expression.as_str().unwrap().to_owned()));
                members.values().for_each(|value| gather(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    gather(&serde_json::from_str(&read("deploy/grafana/dashboards/trunkline.json")).unwrap(), &mut found);
    found
}

fn expressions_of_rules() -> Vec<String> {
    let rules = read("deploy/prometheus/alerts.yml");
    let found: Vec<String> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ").map(str::to_owned)).collect();
    assert_eq!(found.len(), rules.matches("- alert: ").count(), "each on one line");
    found
}

/// The labels in braces and behind `by`, with the metric or the aggregation they belong to.
fn labels(expression: &str) -> HashSet<&str> {
    let mut found = HashSet::new();
    for part in expression.split('{').skip(1) {
        let inner = part.split('}').next().unwrap();
        found.extend(inner.split(',').map(|matcher| matcher.split(['=', '!']).next().unwrap().trim()));
    }
    for part in expression.split(" by (").skip(1) {
        found.extend(part.split(')').next().unwrap().split(',').map(str::trim));
    }
    found
}

#[test]
fn the_dashboard_and_the_rules_ask_for_what_there_is() {
    let scrape = ["instance", "job", "le"];
    for (expressions, least) in [(expressions_of_dashboard(), 40), (expressions_of_rules(), 10)] {
        assert!(expressions.len() >= least, "{expressions:#?}");
        for expression in expressions {
            let used = names(&expression);
            let mut known: HashSet<&str> = scrape.into();
            for name in &used {
                let metric = find(name).unwrap_or_else(|| panic!("`{name}` in `{expression}`"));
                known.extend(metric.labels);
            }
            assert!(!used.is_empty() || expression.starts_with("up{"), "{expression}");
            let unknown: Vec<_> = labels(&expression).into_iter().filter(|l| !known.contains(l)).collect();
            assert!(unknown.is_empty(), "{unknown:?} in `{expression}`");
        }
    }
}

#[test]
fn every_metric_is_documented_and_drawn() {
    let text = read("docs/metrics.md");
    let documented = names(&text);
    let drawn = expressions_of_dashboard().join("\n");
    let drawn: HashSet<&str> = names(&drawn).into_iter().filter_map(find).map(|metric| metric.name).collect();
    for metric in declared::ALL {
        assert!(documented.contains(metric.name), "{} is not in docs/metrics.md", metric.name);
        assert!(text.contains(metric.help), "{}: docs/metrics.md says something else", metric.name);
        for label in metric.labels {
            assert!(text.contains(&format!("`{label}`")), "{label} of {}", metric.name);
        }
        assert!(drawn.contains(metric.name), "{} is on no panel", metric.name);
    }
    for name in documented {
        assert!(
            declared::ALL.iter().any(|metric| metric.name == name) || find(name).is_some(),
            "{name} is documented and not there"
        );
    }
}

#[test]
fn every_alert_has_its_line_in_the_documents() {
    let (metrics, operations) = (read("docs/metrics.md"), read("docs/operations.md"));
    for line in read("deploy/prometheus/alerts.yml").lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            assert!(metrics.contains(name) && operations.contains(name), "{name}");
        }
    }
}
