//! A step's member `retry`, an extension: tries again after a failure that the engine's own rules end at.
//!
//! ```text
//! "retry": {"maxAttempts": 5, "initialInterval": "00:00:05", "backoff": 2, "maxInterval": "00:05:00"}
//! ```

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{inputs, timespan};

const MOST_ATTEMPTS: i64 = 100;
const INITIAL_INTERVAL: Duration = Duration::from_secs(5);
const BACKOFF: f64 = 2.0;
const MAX_INTERVAL: Duration = Duration::from_secs(300);

/// How often a step is tried, and the pauses between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The first one included.
    pub max_attempts: i32,
    /// The pause after the first attempt.
    pub initial_interval: Duration,
    /// By what each pause is longer than the one before it.
    pub backoff: f64,
    /// No pause is longer.
    pub max_interval: Duration,
}

/// Something wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryFlaw {
    /// The member's name, if it is about one.
    pub member: Option<&'static str>,
    /// What is said after the name of the step.
    pub message: String,
}

impl RetryPolicy {
    /// From its JSON; all that is wrong with it.
    pub fn read(retry: &Value) -> Result<Self, Vec<RetryFlaw>> {
        let Value::Object(members) = retry else {
            return Err(vec![RetryFlaw { member: None, message: "retry must be an object.".to_owned() }]);
        };
        let mut flaws = Vec::new();
        let max_attempts = max_attempts(members, &mut flaws);
        let initial_interval = interval(members, "initialInterval", &mut flaws).unwrap_or(INITIAL_INTERVAL);
        let backoff = backoff(members, &mut flaws);
        // A first pause that is longer than the usual longest one is meant so.
        let max_interval = interval(members, "maxInterval", &mut flaws)
            .unwrap_or_else(|| MAX_INTERVAL.max(initial_interval));
        match (max_attempts, backoff) {
            (Some(max_attempts), Some(backoff)) if flaws.is_empty() => {
                Ok(Self { max_attempts, initial_interval, backoff, max_interval })
            }
            _ => Err(flaws),
        }
    }

    /// How long to wait after this attempt (from 1) before the next one; `None`: it was the last.
    pub fn pause(&self, attempt: i32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        // Nothing grows to nothing, and not to the longest pause by way of an infinite factor.
        if self.initial_interval.is_zero() {
            return Some(Duration::ZERO);
        }
        let factor = self.backoff.powi(attempt.saturating_sub(1).max(0));
        let seconds = (self.initial_interval.as_secs_f64() * factor).min(self.max_interval.as_secs_f64());
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(self.max_interval))
    }
}

fn flaw(member: &'static str, message: String) -> RetryFlaw {
    RetryFlaw { member: Some(member), message }
}

fn max_attempts(members: &Map<String, Value>, flaws: &mut Vec<RetryFlaw>) -> Option<i32> {
    const MEMBER: &str = "maxAttempts";
    let Some(value) = inputs::get(members, MEMBER) else {
        flaws.push(flaw(MEMBER, "retry maxAttempts is required.".to_owned()));
        return None;
    };
    let attempts = value.as_i64().filter(|attempts| (1..=MOST_ATTEMPTS).contains(attempts));
    if attempts.is_none() {
        flaws.push(flaw(MEMBER, "retry maxAttempts must be an integer from 1 to 100.".to_owned()));
    }
    attempts.and_then(|attempts| attempts.try_into().ok())
}

fn backoff(members: &Map<String, Value>, flaws: &mut Vec<RetryFlaw>) -> Option<f64> {
    const MEMBER: &str = "backoff";
    let Some(value) = inputs::get(members, MEMBER) else { return Some(BACKOFF) };
    let backoff = value.as_f64().filter(|backoff| *backoff >= 1.0);
    if backoff.is_none() {
        flaws.push(flaw(MEMBER, "retry backoff must be a number of 1 or more.".to_owned()));
    }
    backoff
}

fn interval(
    members: &Map<String, Value>,
    member: &'static str,
    flaws: &mut Vec<RetryFlaw>,
) -> Option<Duration> {
    let value = inputs::get(members, member)?;
    let interval = timespan::from_value(value);
    if interval.is_err() {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        flaws.push(flaw(member, format!("retry {member}: invalid timespan '{shown}'.")));
    }
    interval.ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
    fn pauses(retry: Value) -> Vec<Option<u64>> {
        let policy = RetryPolicy::read(&retry).unwrap();
        (1..=5).map(|attempt| policy.pause(attempt).map(|pause| pause.as_secs())).collect()
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        for (retry, expected) in [
            (json!({"maxAttempts": 1}), [None, None, None, None, None]),
            (json!({"maxAttempts": 4}), [Some(5), Some(10), Some(20), None, None]),
            (
                json!({"maxAttempts": 100, "initialInterval": "00:01:00", "backoff": 3, "maxInterval": "00:05:00"}),
                [Some(60), Some(180), Some(300), Some(300), Some(300)],
            ),
            (
                json!({"MAXATTEMPTS": 9, "backoff": 1, "initialInterval": "00:00:00"}),
                [Some(0), Some(0), Some(0), Some(0), Some(0)],
            ),
            (
                json!({"maxAttempts": 9, "initialInterval": 1}),
                [Some(86_400), Some(86_400), Some(86_400), Some(86_400), Some(86_400)],
            ),
            (
                json!({"maxAttempts": 9, "backoff": 1e300, "initialInterval": null}),
                [Some(5), Some(300), Some(300), Some(300), Some(300)],
            ),
        ] {
            assert_eq!(pauses(retry.clone()), expected, "{retry}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        for (retry, expected) in [
            (json!(5), vec!["retry must be an object."]),
            (json!({}), vec!["retry maxAttempts is required."]),
            (json!({"maxAttempts": 0}), vec!["retry maxAttempts must be an integer from 1 to 100."]),
            (json!({"maxAttempts": 2.5}), vec!["retry maxAttempts must be an integer from 1 to 100."]),
            (
                json!({"maxAttempts": "3", "initialInterval": "soon", "backoff": 0.5, "maxInterval": "{{data.x}}"}),
                vec![
                    "retry maxAttempts must be an integer from 1 to 100.",
                    "retry initialInterval: invalid timespan 'soon'.",
                    "retry backoff must be a number of 1 or more.",
                    "retry maxInterval: invalid timespan '{{data.x}}'.",
                ],
            ),
        ] {
            let flaws = RetryPolicy::read(&retry).unwrap_err();
            assert_eq!(flaws.iter().map(|flaw| flaw.message.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}
