//! A definition that was checked, ready to be saved as a version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::schedule::Schedule;
use crate::trigger::Trigger;

#[derive(Debug, Clone)]
pub struct DefinitionInput {
    pub subaccount: Option<String>,
    pub trigger: Trigger,
    /// Of the trigger `schedule`, and of no other. Its text is in `extras`.
    pub schedule: Option<Schedule>,
    pub enabled: bool,
    pub name: String,
    /// The steps' JSON as submitted, for the echo (U-75).
    pub steps: String,
    pub extras: Extras,
}

/// Members that we do not know, and `schedule`, kept for the echo (spec 2.1). As JSON they stand where the
/// request has them, so that they are nested no deeper than what was read once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// Members of `definition`.
    #[serde(default)]
    pub definition: Map<String, Value>,
    /// Members next to `definition`.
    #[serde(flatten)]
    pub envelope: Map<String, Value>,
}

/// What we know, or set ourselves, next to `definition` and in it.
const IN_ENVELOPE: [&str; 8] =
    ["accountId", "subAccountId", "trigger", "status", "id", "version", "createdAt", "definition"];
const IN_DEFINITION: [&str; 4] = ["id", "version", "name", "steps"];

impl Extras {
    pub(super) fn of(envelope: &Map<String, Value>, definition: &Map<String, Value>) -> Self {
        Self { definition: others(definition, &IN_DEFINITION), envelope: others(envelope, &IN_ENVELOPE) }
    }
}

fn others(members: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let unknown = |key: &String| !known.iter().any(|name| name.eq_ignore_ascii_case(key));
    members.iter().filter(|(key, _)| unknown(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The text between the brackets of `steps`, so that numbers keep their spelling. `None` when it says anything
/// else than what was checked: of members whose names differ in letter case alone another one may be found.
pub(super) fn steps_as_submitted(body: &[u8], checked: &Value) -> Option<String> {
    type Members<'a> = BTreeMap<String, &'a RawValue>;
    fn member<'a>(members: &Members<'a>, name: &str) -> Option<&'a RawValue> {
        members
            .get(name)
            .or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, raw)| raw))
            .copied()
    }
    let envelope: Members = serde_json::from_slice(body).ok()?;
    let definition: Members = serde_json::from_str(member(&envelope, "definition")?.get()).ok()?;
    let steps = member(&definition, "steps")?.get();
    serde_json::from_str::<Value>(steps).ok().filter(|steps| steps == checked).map(|_| steps.to_owned())
}
