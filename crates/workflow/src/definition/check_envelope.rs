//! The members around the steps (spec 3.1; V1–V6).

use serde_json::{Map, Value};

use super::check_steps::{MAX_NAME, StepChecker};
use super::pointer::Pointer;
use super::problem::{Problem, Problems};
use super::scripts::CheckScripts;
use crate::inputs;
use crate::schedule::Schedule;
use crate::trigger::Trigger;

/// What was found, if it was found whole.
pub(super) struct Checked<'v> {
    pub(super) subaccount: Option<&'v str>,
    pub(super) trigger: Trigger,
    pub(super) schedule: Option<Schedule>,
    pub(super) enabled: bool,
    pub(super) name: &'v str,
    pub(super) steps: &'v Value,
    pub(super) definition: &'v Map<String, Value>,
}

/// `None` only if there are problems.
pub(super) fn check_envelope<'v>(
    envelope: &'v Map<String, Value>,
    check: CheckScripts,
    problems: &mut Problems,
) -> Option<Checked<'v>> {
    let body = Pointer::BODY;
    let definition = match inputs::entry(envelope, "definition") {
        Some((key, Value::Object(definition))) => Some((key, definition)),
        other => {
            let at = body.member(other.map_or("definition", |(key, _)| key));
            problems.error("Workflow definition is required.", &at);
            None
        }
    };
    let inner = body.member(definition.map_or("definition", |(key, _)| key));
    let members = definition.map(|(_, definition)| definition);
    let name = members.and_then(|members| check_name(members, &inner, problems));
    let steps = members.and_then(|members| find_steps(members, &inner, problems));
    let trigger = match inputs::entry(envelope, "trigger") {
        None => {
            problems.error("Trigger is required.", &body.member("trigger"));
            None
        }
        Some((key, value)) => one_of(value, "Trigger", Trigger::parse)
            .map_err(|message| problems.error(message, &body.member(key)))
            .ok(),
    };
    let enabled = match inputs::entry(envelope, "status") {
        None => Some(false),
        Some((key, value)) => one_of(value, "Status", parse_status)
            .map_err(|message| problems.error(message, &body.member(key)))
            .ok(),
    };
    let subaccount = check_subaccount(envelope, problems);
    let schedule = check_schedule(envelope, trigger, problems);
    if let Some((key, steps)) = steps {
        StepChecker::new(check, problems).sequence(steps, &inner.member(key), 1);
    }
    Some(Checked {
        subaccount,
        trigger: trigger?,
        schedule,
        enabled: enabled?,
        name: name?,
        steps: steps?.1,
        definition: members?,
    })
}

fn check_name<'v>(
    definition: &'v Map<String, Value>,
    inner: &Pointer,
    problems: &mut Problems,
) -> Option<&'v str> {
    let entry = inputs::entry(definition, "name");
    let at = inner.member(entry.map_or("name", |(key, _)| key));
    let name = entry.and_then(|(_, name)| name.as_str()).filter(|name| !name.trim().is_empty());
    match name {
        None => problems.error("Workflow name is required.", &at),
        Some(name) if name.chars().count() > MAX_NAME => {
            problems.error("Workflow name is longer than 255 characters.", &at);
        }
        Some(_) => {}
    }
    name
}

fn find_steps<'v>(
    definition: &'v Map<String, Value>,
    inner: &Pointer,
    problems: &mut Problems,
) -> Option<(&'v str, &'v Value)> {
    let entry = inputs::entry(definition, "steps");
    let found = entry.filter(|(_, steps)| steps.as_array().is_some_and(|steps| !steps.is_empty()));
    if found.is_none() {
        let at = inner.member(entry.map_or("steps", |(key, _)| key));
        problems.error("Workflow steps are required.", &at);
    }
    found
}

fn check_subaccount<'v>(envelope: &'v Map<String, Value>, problems: &mut Problems) -> Option<&'v str> {
    let (key, value) = inputs::entry(envelope, "subAccountId")?;
    let at = Pointer::BODY.member(key);
    if !value.is_string() {
        problems.error("subAccountId must be a string.", &at);
    }
    value.as_str()
}

/// Asked for by the trigger `schedule` alone; else it is a member that we do not know.
fn check_schedule(
    envelope: &Map<String, Value>,
    trigger: Option<Trigger>,
    problems: &mut Problems,
) -> Option<Schedule> {
    if trigger != Some(Trigger::Schedule) {
        return None;
    }
    let Some((key, value)) = inputs::entry(envelope, "schedule") else {
        problems.error("Schedule is required.", &Pointer::BODY.member("schedule"));
        return None;
    };
    let at = Pointer::BODY.member(key);
    let flaws = match Schedule::read(value) {
        Ok(schedule) => return Some(schedule),
        Err(flaws) => flaws,
    };
    for flaw in flaws {
        let path = flaw.member.map(|name| spelling(value, name));
        let at = path.map_or(at, |name| at.member(name));
        problems.push(Problem::error(flaw.message, &at));
    }
    None
}

/// A member's name as the object spells it, if it has it.
pub(super) fn spelling<'a>(object: &'a Value, name: &'a str) -> &'a str {
    object.as_object().and_then(|members| inputs::entry(members, name)).map_or(name, |(key, _)| key)
}

/// The value as messages show it.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn one_of<T>(value: &Value, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let parsed = value.as_str().and_then(parse);
    parsed.ok_or_else(|| format!("{what} '{}' is not supported.", shown(value)))
}

fn parse_status(text: &str) -> Option<bool> {
    [("enabled", true), ("disabled", false)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, enabled)| enabled)
}
