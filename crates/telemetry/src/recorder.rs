//! The process's one recorder, and handles of it.

use std::sync::OnceLock;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::declared::{ALL, BUILD_INFO, Kind, Metric};

static RECORDER: OnceLock<(PrometheusRecorder, PrometheusHandle)> = OnceLock::new();

const METADATA: Metadata<'static> = Metadata::new("trunkline", Level::INFO, None);

/// From now on handles count. Those taken before never do: this comes first in a process.
pub fn install() {
    RECORDER.get_or_init(|| {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder
                    .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                    .expect("a histogram has bounds");
            }
        }
        let recorder = builder.build_recorder();
        for metric in ALL {
            let help = SharedString::const_str(metric.help);
            match metric.kind {
                Kind::Counter => recorder.describe_counter(metric.name.into(), None, help),
                Kind::Gauge => recorder.describe_gauge(metric.name.into(), None, help),
                Kind::Histogram(_) => recorder.describe_histogram(metric.name.into(), None, help),
            }
        }
        let handle = recorder.handle();
        (recorder, handle)
    });
    gauge(&BUILD_INFO, [env!("CARGO_PKG_VERSION")]).set(1.0);
}

pub fn is_installed() -> bool {
    RECORDER.get().is_some()
}

/// All that was recorded, in Prometheus' text format. `None`: nothing is recorded here.
pub fn render() -> Option<String> {
    RECORDER.get().map(|(_, handle)| handle.render())
}

/// What histograms were given is kept until it is sorted into buckets: when somebody looks, or here. To be called
/// every few seconds, or a process at work at which nobody looks grows.
pub fn tidy() {
    if let Some((_, handle)) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// With a value for each of its labels, in their order.
pub fn counter<const N: usize>(metric: &Metric, values: [&str; N]) -> Counter {
    debug_assert_eq!(metric.kind, Kind::Counter, "{}", metric.name);
    let Some((recorder, _)) = RECORDER.get() else { return Counter::noop() };
    recorder.register_counter(&key(metric, values), &METADATA)
}

/// Likewise.
pub fn gauge<const N: usize>(metric: &Metric, values: [&str; N]) -> Gauge {
    debug_assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
    let Some((recorder, _)) = RECORDER.get() else { return Gauge::noop() };
    recorder.register_gauge(&key(metric, values), &METADATA)
}

/// Likewise.
pub fn histogram<const N: usize>(metric: &Metric, values: [&str; N]) -> Histogram {
    debug_assert!(matches!(metric.kind, Kind::Histogram(_)), "{}", metric.name);
    let Some((recorder, _)) = RECORDER.get() else { return Histogram::noop() };
    recorder.register_histogram(&key(metric, values), &METADATA)
}

fn key<const N: usize>(metric: &Metric, values: [&str; N]) -> Key {
    assert_eq!(metric.labels.len(), N, "{} has other labels", metric.name);
    let labels = metric.labels.iter().zip(values);
    let labels = labels.map(|(label, value)| Label::new(*label, value.to_owned())).collect::<Vec<_>>();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::{CLAIM_JOBS, CLAIMS};

    #[test]
    fn handles_of_before_count_nothing_and_those_of_after_do() {
        counter(&CLAIMS, ["jobs"]).increment(5);
        assert_eq!(render(), None);
        install();
        install();
        counter(&CLAIMS, ["jobs"]).increment(2);
        histogram(&CLAIM_JOBS, []).record(3.0);
        tidy();
        histogram(&CLAIM_JOBS, []).record(100.0);
        let text = render().unwrap();
        for line in [
            "# TYPE trunkline_claims_total counter",
            "trunkline_claims_total{result=\"jobs\"} 2",
            "# TYPE trunkline_claim_batch_jobs histogram",
            "trunkline_claim_batch_jobs_bucket{le=\"4\"} 1",
            "trunkline_claim_batch_jobs_bucket{le=\"+Inf\"} 2",
            "trunkline_claim_batch_jobs_sum 103",
        ] {
            assert!(text.lines().any(|said| said == line), "no `{line}` in\n{text}");
        }
        assert!(text.contains("# HELP trunkline_claim_batch_jobs Jobs in a claim"), "{text}");
    }
}
