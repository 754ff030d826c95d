//! What workers count. Handles are looked up once; a batch is tallied and then added as a whole.

use std::sync::LazyLock;
use std::time::Duration;

use trunkline_connectors::outbound::{OutboundClient, OutboundError, OutboundResponse, Traces};
use trunkline_store::callbacks::Delivery;
use trunkline_store::transitions::Ended;
use trunkline_telemetry::{Counter, Histogram, counter, declared, histogram};
use trunkline_workflow::step::StepType;
use trunkline_workflow::{InstanceStatus, Outcome};

use crate::queue::{End, Finished};

/// For jobs whose step could not be looked at.
const UNKNOWN: &str = "unknown";
const STEP_TYPES: usize = StepType::ALL.len() + StepType::INTERNAL.len() + 1;
const OUTCOMES: [&str; 7] =
    ["completed", "entered", "waiting", "retried", "postponed", "failed", "abandoned"];

pub(crate) struct Measures {
    pub(crate) claims_with_jobs: Counter,
    pub(crate) claims_empty: Counter,
    pub(crate) claims_failed: Counter,
    pub(crate) claim_jobs: Histogram,
    pub(crate) claim_seconds: Histogram,
    pub(crate) job_wait: Histogram,
    steps: Vec<[Counter; OUTCOMES.len()]>,
    step_seconds: Vec<Histogram>,
    pub(crate) completion_jobs: Histogram,
    pub(crate) completion_seconds: Histogram,
    pub(crate) completions_refused: Counter,
    complete: Histogram,
    terminated: Histogram,
    pub(crate) leases_lost: Counter,
    pub(crate) jobs_rescued: Counter,
    delivered: Counter,
    again: Counter,
    given_up: Counter,
}

pub(crate) static MEASURES: LazyLock<Measures> = LazyLock::new(|| {
    let mut names = [UNKNOWN; STEP_TYPES];
    for step_type in StepType::ALL.into_iter().chain(StepType::INTERNAL) {
        names[step_type as usize] = step_type.name();
    }
    let ended = |status: InstanceStatus| {
        histogram(&declared::INSTANCE_SECONDS, [status.as_str().to_ascii_lowercase().as_str()])
    };
    Measures {
        claims_with_jobs: counter(&declared::CLAIMS, ["jobs"]),
        claims_empty: counter(&declared::CLAIMS, ["empty"]),
        claims_failed: counter(&declared::CLAIMS, ["failed"]),
        claim_jobs: histogram(&declared::CLAIM_JOBS, []),
        claim_seconds: histogram(&declared::CLAIM_SECONDS, []),
        job_wait: histogram(&declared::JOB_WAIT, []),
        steps: names.map(|name| OUTCOMES.map(|outcome| counter(&declared::STEPS, [name, outcome]))).into(),
        step_seconds: names.map(|name| histogram(&declared::STEP_SECONDS, [name])).into(),
        completion_jobs: histogram(&declared::COMPLETION_JOBS, []),
        completion_seconds: histogram(&declared::COMPLETION_SECONDS, []),
        completions_refused: counter(&declared::COMPLETIONS_REFUSED, []),
        complete: ended(InstanceStatus::Complete),
        terminated: ended(InstanceStatus::Terminated),
        leases_lost: counter(&declared::LEASES_LOST, []),
        jobs_rescued: counter(&declared::JOBS_RESCUED, []),
        delivered: counter(&declared::CALLBACKS, ["delivered"]),
        again: counter(&declared::CALLBACKS, ["again"]),
        given_up: counter(&declared::CALLBACKS, ["given_up"]),
    }
});

impl Measures {
    pub(crate) fn ended(&self, ended: &Ended) {
        let histogram = match ended.status {
            InstanceStatus::Terminated => &self.terminated,
            _ => &self.complete,
        };
        histogram.record(ended.after);
    }

    pub(crate) fn settled(&self, delivery: Delivery) {
        match delivery {
            Delivery::Delivered => &self.delivered,
            Delivery::Again(_) => &self.again,
            Delivery::GivenUp => &self.given_up,
        }
        .increment(1);
    }
}

/// Executions of a batch, by step type and outcome.
pub(crate) struct Tally([[u32; OUTCOMES.len()]; STEP_TYPES]);

impl Tally {
    pub(crate) fn new() -> Self {
        Self([[0; OUTCOMES.len()]; STEP_TYPES])
    }

    pub(crate) fn add(&mut self, finished: &Finished) {
        let (step_type, outcome) = match &finished.end {
            End::Outcome { outcome, graph, .. } => {
                let step = graph.steps.get(finished.held.job.path.step);
                (step.map_or(STEP_TYPES - 1, |step| step.step_type as usize), position(outcome))
            }
            End::Abandoned => (STEP_TYPES - 1, 6),
        };
        self.0[step_type][outcome] += 1;
        MEASURES.step_seconds[step_type].record(finished.took);
    }

    /// Adds it to the counters.
    pub(crate) fn count(&self) {
        for (counts, counters) in self.0.iter().zip(&MEASURES.steps) {
            for (count, counter) in counts.iter().zip(counters).filter(|(count, _)| **count > 0) {
                counter.increment((*count).into());
            }
        }
    }
}

pub(crate) const FAILED: &str = OUTCOMES[5];
pub(crate) const ABANDONED: &str = OUTCOMES[6];

/// What an execution came to, in a word.
pub(crate) fn name(outcome: &Outcome) -> &'static str {
    OUTCOMES[position(outcome)]
}

fn position(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Completed { .. } => 0,
        Outcome::EnterBodies => 1,
        Outcome::Waiting { .. } => 2,
        Outcome::Retry { .. } => 3,
        Outcome::Postponed { .. } => 4,
        Outcome::Failed { .. } => 5,
    }
}

/// Whose answers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    EightByEight,
    MessagesApi,
    Converse,
    /// Whatever HTTP steps call.
    Http,
}

const PROVIDERS: [&str; 4] = ["8x8", "messages-api", "converse", "http"];
const ANSWERS: [&str; 9] = ["1xx", "2xx", "3xx", "4xx", "5xx", "refused", "not_sent", "unknown", "too_large"];

static ANSWERED: LazyLock<[([Counter; ANSWERS.len()], Histogram); PROVIDERS.len()]> = LazyLock::new(|| {
    PROVIDERS.map(|provider| {
        let counters = ANSWERS.map(|answer| counter(&declared::CONNECTOR_ANSWERS, [provider, answer]));
        (counters, histogram(&declared::CONNECTOR_SECONDS, [provider]))
    })
});

impl Provider {
    /// The client, with its answers counted as this provider's.
    pub(crate) fn counted(self, client: &OutboundClient) -> OutboundClient {
        // Only what an author calls is his to trace on; providers learn nothing of it.
        let traces = if self == Self::Http { Traces::HandedOn } else { Traces::Span };
        client.traced(traces).observed(match self {
            Self::EightByEight => |answer, took| count(Self::EightByEight, answer, took),
            Self::MessagesApi => |answer, took| count(Self::MessagesApi, answer, took),
            Self::Converse => |answer, took| count(Self::Converse, answer, took),
            Self::Http => |answer, took| count(Self::Http, answer, took),
        })
    }
}

fn count(provider: Provider, answer: Result<&OutboundResponse, &OutboundError>, took: Duration) {
    let (counters, seconds) = &ANSWERED[provider as usize];
    let position = match answer {
        Ok(response) => usize::from(response.status / 100).clamp(1, 5) - 1,
        Err(OutboundError::Refused(_)) => 5,
        Err(OutboundError::NotSent(_)) => 6,
        Err(OutboundError::Unknown(_)) => 7,
        Err(OutboundError::TooLarge) => 8,
    };
    counters[position].increment(1);
    seconds.record(took);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_type_has_a_place_of_its_own() {
        let mut places: Vec<usize> =
            StepType::ALL.into_iter().chain(StepType::INTERNAL).map(|t| t as usize).collect();
        places.sort_unstable();
        assert_eq!(places, (0..STEP_TYPES - 1).collect::<Vec<_>>());
    }

    #[test]
    fn providers_stand_in_the_order_of_their_names() {
        assert_eq!(PROVIDERS[Provider::EightByEight as usize], "8x8");
        assert_eq!(PROVIDERS[Provider::MessagesApi as usize], "messages-api");
        assert_eq!(PROVIDERS[Provider::Converse as usize], "converse");
        assert_eq!(PROVIDERS[Provider::Http as usize], "http");
    }
}
