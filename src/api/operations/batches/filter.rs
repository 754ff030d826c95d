//! The conditions that instances of a batch are found by: those of the search, as members of an object.

use serde_json::{Map, Value};
use trunkline_store::search::{InstanceSearch, LONGEST_VALUE, Phone};
use trunkline_workflow::strict_json::Malformed;
use trunkline_workflow::{InstanceStatus, Version};
use utoipa::ToSchema;
use uuid::Uuid;

use super::input::{known, wrong};
use crate::api::operations::instances::list::{MOST_VALUES, is_usable, is_usable_value};
use crate::api::{path, timestamp};

const MEMBERS: [&str; 10] = [
    "definitionId",
    "version",
    "status",
    "step",
    "error",
    "fingerprint",
    "subAccountId",
    "startedFrom",
    "startedBefore",
    "phone",
];
const CONTEXT: &str = "context";

/// What a search finds by the parameters of the same names. At least one must be there.
#[derive(ToSchema)]
#[schema(as = BatchFilter, rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub struct FilterSchema {
    definition_id: Option<Uuid>,
    #[schema(minimum = 1)]
    version: Option<i32>,
    /// In any letter case.
    status: Option<String>,
    /// The step that failed, or that the instance stands at.
    step: Option<String>,
    /// A part of the error that ended it, in any letter case.
    error: Option<String>,
    /// Of the error.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    fingerprint: Option<String>,
    /// Of the definition.
    sub_account_id: Option<String>,
    /// Inclusive.
    #[schema(format = DateTime)]
    started_from: Option<String>,
    /// Exclusive.
    #[schema(format = DateTime)]
    started_before: Option<String>,
    /// A phone number anywhere in the context, in any spelling.
    phone: Option<String>,
    /// Values in the context by their dotted paths, at most 8.
    #[schema(value_type = Option<Object>, example = json!({"order.id": 7}))]
    context: Option<Map<String, Value>>,
}

pub(super) fn read_filter(filter: &Value) -> Result<InstanceSearch, Malformed> {
    let members = filter.as_object().ok_or_else(|| wrong("`filter` must be an object"))?;
    let names: Vec<&str> = MEMBERS.into_iter().chain([CONTEXT]).collect();
    known(members, "a filter", &names)?;
    let filter = Filter(members);
    let version = filter.given("version").map(|version| {
        let version = version.as_i64().filter(|version| *version >= 1);
        let version = version.map(|version| Version::try_from(version).unwrap_or(Version::MAX));
        version.ok_or_else(|| wrong("`version` must be a version's number"))
    });
    let word = |text: &str| is_usable(text).then(|| text.to_owned());
    let search = InstanceSearch {
        id: None,
        status: filter.read("status", "the status of an instance", InstanceStatus::parse)?,
        definition: filter.read("definitionId", "a definition's id", path::parse_definition_id)?,
        version: version.transpose()?,
        subaccount: filter.read("subAccountId", "a text", word)?,
        step: filter.read("step", "a text", word)?,
        error: filter.read("error", "a text", word)?,
        fingerprint: filter.read("fingerprint", "16 hexadecimal digits", |text| text.parse().ok())?,
        started_from: filter.read("startedFrom", "a time", timestamp::parse)?,
        started_before: filter.read("startedBefore", "a time", timestamp::parse)?,
        phone: filter.read("phone", "the number of a phone", Phone::parse)?,
        context: filter.given(CONTEXT).map(read_context).transpose()?.unwrap_or_default(),
    };
    if search == InstanceSearch::default() {
        return Err(wrong("`filter` must have a condition"));
    }
    Ok(search)
}

struct Filter<'a>(&'a Map<String, Value>);

impl Filter<'_> {
    fn given(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// `parse` says `None` for what is not acceptable.
    fn read<T>(
        &self,
        name: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let read = |value: &Value| {
            let read = value.as_str().and_then(parse);
            read.ok_or_else(|| wrong(format!("`{name}` must be {what}")))
        };
        self.given(name).map(read).transpose()
    }
}

fn read_context(context: &Value) -> Result<Vec<(String, String)>, Malformed> {
    let refused = || {
        wrong(format!(
            "`context` must be an object of at most {MOST_VALUES} paths, each with a text of at most {LONGEST_VALUE} \
             characters, a number, `true`, `false` or `null`"
        ))
    };
    let values = context.as_object().filter(|values| values.len() <= MOST_VALUES).ok_or_else(refused)?;
    let read = |(path, value): (&String, &Value)| {
        let text = match value {
            Value::Object(_) | Value::Array(_) => return Err(refused()),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if is_usable_value(path, &text) { Ok((path.clone(), text)) } else { Err(refused()) }
    };
    values.iter().map(read).collect()
}
