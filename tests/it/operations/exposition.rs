//! Reads Prometheus' text format, and takes nothing that is not in it.

use std::collections::{BTreeMap, HashSet};

use trunkline_telemetry::{Kind, declared};

type Labels = BTreeMap<String, String>;

/// One answer of `/metrics`.
pub struct Exposition(BTreeMap<(String, Labels), f64>);

impl Exposition {
    /// Panics at the first thing that is wrong, or not as it was declared.
    pub fn parse(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut families = HashSet::new();
        let mut help: Option<(&str, &str)> = None;
        let mut family: Option<(&str, &str)> = None;
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = Some(rest.split_once(' ').unwrap_or_else(|| panic!("{line}")));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
                assert!(families.insert(name.to_owned()), "twice: {line}");
                check_declared(name, kind, help.take());
                family = Some((name, kind));
            } else {
                assert!(!line.starts_with('#'), "{line}");
                let (family, kind) = family.unwrap_or_else(|| panic!("without a type: {line}"));
                let (name, labels, value) = sample(line);
                check_sample(family, kind, &name, &labels);
                assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        let all = Self(samples);
        all.check_histograms();
        all
    }

    /// The sum over the series that have these labels; 0 without any.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has =
            |of: &Labels| labels.iter().all(|(label, value)| of.get(*label).is_some_and(|v| v == value));
        self.0.iter().filter(|((n, of), _)| n == name && has(of)).map(|(_, value)| value).sum()
    }

    /// The same, of what is counted.
    #[expect(clippy::cast_possible_truncation, reason = "tests count to ten")]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let sum = self.sum(name, labels);
        assert!(sum.fract().abs() < f64::EPSILON, "{name} {labels:?}: {sum}");
        sum as i64
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.keys().any(|(n, _)| n == name)
    }

    /// The values of a label.
    pub fn values(&self, label: &str) -> HashSet<String> {
        self.0.keys().filter_map(|(_, labels)| labels.get(label).cloned()).collect()
    }

    /// Nothing that only grows is less than it was.
    pub fn follows(&self, before: &Self) {
        for ((name, labels), value) in &before.0 {
            if ["_total", "_bucket", "_sum", "_count"].iter().any(|end| name.ends_with(end)) {
                let now = self.0.get(&(name.clone(), labels.clone()));
                assert!(now.is_some_and(|now| now >= value), "{name} {labels:?}: {value}, then {now:?}");
            }
        }
    }

    fn check_histograms(&self) {
        let mut buckets: BTreeMap<(String, Labels), Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.0 {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = number(&labels.remove("le").unwrap());
                buckets.entry((family.to_owned(), labels)).or_default().push((bound, *value));
            }
        }
        for ((family, labels), mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{family} {labels:?}: {buckets:?}");
            let (bound, all) = buckets.last().unwrap();
            assert!(bound.is_infinite(), "{family}");
            assert_eq!(Some(all), self.0.get(&(format!("{family}_count"), labels.clone())), "{family}");
            assert!(self.0.contains_key(&(format!("{family}_sum"), labels)), "{family}");
        }
    }
}

fn check_declared(name: &str, kind: &str, help: Option<(&str, &str)>) {
    let metric = declared::ALL.iter().find(|metric| metric.name == name);
    let metric = metric.unwrap_or_else(|| panic!("{name} is not declared"));
    let declared = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    assert_eq!((kind, help), (declared, Some((name, metric.help))), "{name}");
}

fn check_sample(family: &str, kind: &str, name: &str, labels: &Labels) {
    let metric = declared::ALL.iter().find(|metric| metric.name == family).unwrap();
    let mut expected: HashSet<&str> = metric.labels.iter().copied().collect();
    if kind == "histogram" {
        let end = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} in {family}"));
        assert!(["_bucket", "_sum", "_count"].contains(&end), "{name}");
        if end == "_bucket" {
            expected.insert("le");
        }
    } else {
        assert_eq!(name, family);
    }
    assert_eq!(labels.keys().map(String::as_str).collect::<HashSet<_>>(), expected, "{name}");
}

/// `name{label="value",…} number`
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inner.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            // None of our values has anything to be escaped.
            let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("{line}"));
            assert!(!value.contains('\\'), "{line}");
            assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "{line}");
            if let Some(next) = after.strip_prefix(',') {
                inner = next;
            } else {
                rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    (name.to_owned(), labels, number(value))
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => text.parse().unwrap_or_else(|_| panic!("`{text}` is no number")),
    }
}

#[test]
fn what_is_not_the_format_is_refused() {
    let good = "# HELP trunkline_database_up Whether the last look at the database was answered.\n\
                # TYPE trunkline_database_up gauge\ntrunkline_database_up 1\n";
    assert!(Exposition::parse(good).has("trunkline_database_up"));
    for bad in [
        "trunkline_database_up 1\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace(" gauge", " counter"),
        good.replace(" gauge", " gauge "),
        good.replace("up 1", "up one"),
        good.replace("up 1", "up{a=\"1\"} 1"),
        good.replace("up 1", "up{a=\"1\" 1"),
        good.replace("up 1", "down 1"),
        format!("{good}trunkline_database_up 1\n"),
        format!("{good}{good}"),
    ] {
        assert!(std::panic::catch_unwind(|| Exposition::parse(&bad)).is_err(), "{bad}");
    }
}
