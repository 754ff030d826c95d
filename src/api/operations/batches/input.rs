//! The body that asks for a batch. What is not known is refused: a filter with a misspelled member would take more
//! instances than its author meant.

use serde_json::{Map, Value};
use trunkline_store::batches::{BatchAction, LARGEST, NewBatch, Selection};
use trunkline_workflow::InstanceId;
use trunkline_workflow::control::Command;
use trunkline_workflow::rerun::Choice;
use trunkline_workflow::strict_json::Malformed;
use utoipa::ToSchema;

use super::filter::{FilterSchema, read_filter};
use crate::api::operations::instances::rerun::RerunSchema;

/// Items a second, unless the body says how many.
const USUAL_RATE: i64 = 100;
const FASTEST: i64 = 1000;
/// Items at the same time.
const USUAL_CONCURRENCY: i64 = 4;
const WIDEST: i64 = 16;
/// Characters.
const LONGEST_REASON: usize = 500;

const AT_MOST: &str = "atMost";

/// What a repetition of the request has to have in common with it. It may have been counted again, and batches that were
/// made meanwhile add instances.
pub(super) fn repeatable(mut members: Map<String, Value>) -> String {
    members.shift_remove(AT_MOST);
    Value::Object(members).to_string()
}

pub struct BatchInput {
    pub new: NewBatch,
    pub is_dry: bool,
    pub reason: Option<String>,
}

/// For the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = NewBatch, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what `BatchInput::read` reads")]
pub struct BatchSchema {
    action: ActionName,
    /// This or `instances`.
    filter: Option<FilterSchema>,
    /// Ids, at most 100,000. Those that are not found are skipped.
    #[schema(min_items = 1, max_items = 100_000)]
    instances: Option<Vec<String>>,
    /// With the action `rerun`.
    rerun: Option<RerunSchema>,
    /// Instances a second, at most.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    rate: Option<i32>,
    /// Instances that are dealt with at the same moment, at most.
    #[schema(minimum = 1, maximum = 16, default = 4)]
    concurrency: Option<i32>,
    /// Refuse when there are more instances than that: those that somebody has counted and confirmed, for example.
    #[schema(minimum = 1)]
    at_most: Option<i32>,
    /// With the action `rerun`: also those that were run again before. Else they are skipped.
    #[schema(default = false)]
    again: Option<bool>,
    /// Count, and do nothing.
    #[schema(default = false)]
    dry_run: Option<bool>,
    /// Why, for the audit. Wins over the header `Trunkline-Reason`.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

#[derive(ToSchema)]
#[schema(as = BatchAction, rename_all = "lowercase")]
#[expect(dead_code, reason = "a description")]
enum ActionName {
    Rerun,
    Suspend,
    Resume,
    Terminate,
}

impl BatchInput {
    pub fn read(members: &Map<String, Value>) -> Result<Self, Malformed> {
        known(
            members,
            "a batch",
            &[
                "action",
                "filter",
                "instances",
                "rerun",
                "rate",
                "concurrency",
                AT_MOST,
                "again",
                "dryRun",
                "reason",
            ],
        )?;
        let given = |name: &str| members.get(name).filter(|value| !value.is_null());
        let selection = match (given("filter"), given("instances")) {
            (Some(filter), None) => Selection::Filter(Box::new(read_filter(filter)?)),
            (None, Some(ids)) => Selection::Instances(read_ids(ids)?),
            _ => return Err(wrong("one of `filter` and `instances` must be there")),
        };
        let count = |name: &str, usual: i64, most: i64| {
            let count = given(name).map_or(Some(usual), Value::as_i64);
            let count =
                count.filter(|count| (1..=most).contains(count)).and_then(|count| count.try_into().ok());
            count.ok_or_else(|| wrong(format!("`{name}` must be a number from 1 to {most}")))
        };
        let flag = |name: &str| {
            let flag = given(name).map_or(Some(false), Value::as_bool);
            flag.ok_or_else(|| wrong(format!("`{name}` must be `true` or `false`")))
        };
        let at_most = given(AT_MOST).map(|most| {
            let most = most.as_u64().filter(|most| *most >= 1);
            let most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
            most.ok_or_else(|| wrong("`atMost` must be a number from 1"))
        });
        let again = flag("again")?;
        let action = read_action(given("action"), given("rerun"))?;
        if again && !matches!(action, BatchAction::Rerun(_)) {
            return Err(wrong("`again` is for the action `rerun` alone"));
        }
        let reason = given("reason").map(|reason| {
            let reason = reason.as_str().map(str::trim);
            let reason = reason.filter(|reason| reason.chars().count() <= LONGEST_REASON);
            reason.ok_or_else(|| wrong("`reason` must be a text of at most 500 characters"))
        });
        Ok(Self {
            new: NewBatch {
                action,
                filter: given("filter").cloned(),
                selection,
                at_most: at_most.transpose()?,
                again,
                rate: count("rate", USUAL_RATE, FASTEST)?,
                concurrency: count("concurrency", USUAL_CONCURRENCY, WIDEST)?,
            },
            is_dry: flag("dryRun")?,
            reason: reason.transpose()?.filter(|reason| !reason.is_empty()).map(str::to_owned),
        })
    }
}

pub(super) fn wrong(detail: impl Into<String>) -> Malformed {
    Malformed::whole(detail)
}

pub(super) fn known(members: &Map<String, Value>, of: &str, names: &[&str]) -> Result<(), Malformed> {
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(wrong(format!("`{name}` is no member of {of}"))),
        None => Ok(()),
    }
}

fn read_action(action: Option<&Value>, rerun: Option<&Value>) -> Result<BatchAction, Malformed> {
    let action = action.and_then(Value::as_str);
    if action == Some("rerun") {
        let none = Map::new();
        let rerun = rerun.map_or(Some(&none), Value::as_object);
        let rerun = rerun.ok_or_else(|| wrong("`rerun` must be an object"))?;
        return Choice::read(rerun).map(BatchAction::Rerun);
    }
    let command = action.and_then(|action| Command::ALL.into_iter().find(|known| known.as_str() == action));
    let command =
        command.ok_or_else(|| wrong("`action` must be `rerun`, `suspend`, `resume` or `terminate`"))?;
    match rerun {
        Some(_) => Err(wrong("`rerun` is for the action `rerun` alone")),
        None => Ok(BatchAction::Command(command)),
    }
}

fn read_ids(ids: &Value) -> Result<Vec<InstanceId>, Malformed> {
    let ids = ids.as_array().filter(|ids| (1..=LARGEST).contains(&ids.len()));
    let ids = ids.ok_or_else(|| wrong("`instances` must be an array of 1 to 100,000 ids"))?;
    let read = |id: &Value| {
        let read = id.as_str().and_then(|id| id.parse().ok());
        read.ok_or_else(|| wrong(format!("`{id}` is no id of an instance")))
    };
    ids.iter().map(read).collect()
}
