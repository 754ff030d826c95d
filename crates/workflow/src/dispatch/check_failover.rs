//! `failover` of a step that is not the last (Dispatch 4.6).

use serde_json::{Map, Value};

use super::channel::Channel;
use super::message::Failover;
use super::place::Place;
use super::problems::{Problems, given};
use super::rules::Strictness;
use super::status::Condition;

pub(super) fn check_failover(
    step: &Map<String, Value>,
    channel: Option<Channel>,
    strictness: Strictness,
    place: &Place,
    problems: &mut Problems,
) -> Option<Failover> {
    let place = place.member("failover");
    let failover = problems.required_object(given(step, "failover"), &place)?;
    let expiry = check_expiry(failover, &place, problems);
    let condition = check_condition(failover, channel, strictness, &place, problems);
    Some(Failover { expiry: expiry?, condition: condition? })
}

/// In seconds. Texts of digits occur in official samples (U18); `600.0` is no integer (U19).
fn check_expiry(failover: &Map<String, Value>, place: &Place, problems: &mut Problems) -> Option<u32> {
    let place = place.member("expiry_time");
    let seconds = match problems.required(given(failover, "expiry_time"), &place)? {
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        other => other.as_u64().and_then(|seconds| u32::try_from(seconds).ok()),
    };
    let seconds = seconds.filter(|seconds| (15..=86_400).contains(seconds));
    if seconds.is_none() {
        problems.add(&place, "must be an integer between 15 and 86400");
    }
    seconds
}

fn check_condition(
    failover: &Map<String, Value>,
    channel: Option<Channel>,
    strictness: Strictness,
    place: &Place,
    problems: &mut Problems,
) -> Option<Condition> {
    let place = place.member("condition_status");
    let word = problems.required(given(failover, "condition_status"), &place)?;
    let condition = Condition::parse(problems.word(word, &place, &Condition::ALL.map(Condition::as_str))?)?;
    if strictness == Strictness::Strict
        && condition == Condition::Read
        && let Some(channel) = channel.filter(|channel| !channel.reports_reads())
    {
        problems
            .add(&place, format!("must be `delivered` on {}, which never reports `read`", channel.as_str()));
        return None;
    }
    Some(condition)
}
