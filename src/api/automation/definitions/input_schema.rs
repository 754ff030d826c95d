//! What a create or update request holds, for the OpenAPI document. `check_input` is what reads it.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};
use trunkline_workflow::step::StepType;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A definition to save. Names of members are matched in any letter case; unknown members are kept and
/// shown.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub struct DefinitionInput {
    /// The trigger's filter: with it only events of this subaccount start instances.
    sub_account_id: Option<String>,
    trigger: Trigger,
    /// `disabled` when left out, also in an update.
    #[schema(value_type = Option<Status>)]
    status: Status,
    definition: Blueprint,
    #[schema(schema_with = schedule_of_its_trigger, required = false)]
    schedule: Option<Schedule>,
}

/// What starts instances.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Trigger {
    InboundSms,
    InboundChatApps,
    HttpRequest,
    /// Extension: the state of a sent message changed.
    DeliveryReceipt,
    /// Extension: a time of a cron expression came.
    Schedule,
}

/// When instances are started.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub struct Schedule {
    /// Minute, hour, day of month, month, day of week (0 or 7 is Sunday); six fields begin with seconds. Or
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[schema(example = "0 9 * * 1-5", max_length = 200)]
    cron: String,
    /// A Windows or IANA id; `UTC` when left out.
    #[schema(example = "Singapore Standard Time")]
    time_zone: Option<String>,
    /// About times that passed while no worker was there; `once` when left out.
    #[schema(inline)]
    missed: Option<Missed>,
}

/// Other triggers do not look at it.
fn schedule_of_its_trigger() -> Schema {
    const TEXT: &str = "Extension: asked for by the trigger `schedule`, and ignored by others.";
    or_anything(Schedule::schema()).description(Some(TEXT)).into()
}

/// Tells what is meant and forbids nothing.
fn or_anything(meant: impl Into<RefOr<Schema>>) -> AnyOfBuilder {
    AnyOfBuilder::new().item(meant).item(ObjectBuilder::new().schema_type(SchemaType::AnyValue))
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Missed {
    /// Nothing is started for them.
    Skip,
    /// One instance is started for all of them.
    Once,
    /// An instance is started for each.
    All,
}

/// How a step is tried again after a failure.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "a description")]
pub struct Retry {
    /// The first one included.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: i32,
    /// The pause after the first attempt; `00:00:05` when left out.
    #[schema(inline, example = "00:00:05")]
    initial_interval: Option<Timespan>,
    /// By what each pause is longer than the one before it; 2 when left out.
    #[schema(minimum = 1)]
    backoff: Option<f64>,
    /// No pause is longer; `00:05:00` when left out.
    #[schema(inline, example = "00:05:00")]
    max_interval: Option<Timespan>,
}

#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a description")]
enum Timespan {
    /// `d.HH:mm:ss`, without the days or without the rest.
    Text(String),
    Days(u16),
}

/// Whether the trigger starts instances. Starting one by hand works either way.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Status {
    Enabled,
    Disabled,
}

#[derive(ToSchema)]
#[schema(as = BlueprintInput)]
#[expect(dead_code, reason = "a description")]
pub struct Blueprint {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The first one is where an instance begins. 500 at most, those in `do` included.
    #[schema(min_items = 1)]
    steps: Vec<Step>,
}

/// One step. Its schema is written from what the validation asks of each type.
pub struct Step;

impl ToSchema for Step {
    fn name() -> Cow<'static, str> {
        "Step".into()
    }
}

impl PartialSchema for Step {
    fn schema() -> RefOr<Schema> {
        let string = || ObjectBuilder::new().schema_type(Type::String);
        let nullable = |schema_type| SchemaType::Array(vec![schema_type, Type::Null]);
        let any_map = || {
            ObjectBuilder::new()
                .schema_type(nullable(Type::Object))
                .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        };
        // An `If` refuses anything else, but the other types do not look at it.
        let bodies = ArrayBuilder::new()
            .schema_type(nullable(Type::Array))
            .items(ArrayBuilder::new().items(utoipa::openapi::Ref::from_schema_name("Step")));
        let bodies = or_anything(bodies)
            .description(Some("Of `If`: the sequences that run while its condition holds."));
        let retry = OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Null))
            .item(Retry::schema())
            .description(Some("Extension: tries again after a failure."));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("One activity. `inputs`, `outputs` and conditions may hold JavaScript in `{{ }}`."))
            .property("id", string().min_length(Some(1)).max_length(Some(255)))
            .required("id")
            .property(
                "stepType",
                ObjectBuilder::new()
                    .schema_type(nullable(Type::String))
                    .description(Some(describe_types()))
                    .default(Some(StepType::Sms.name().into())),
            )
            .property("inputs", any_map())
            .property("outputs", any_map().description(Some("What to set in the context, after the activity.")))
            .property(
                "nextStepId",
                ObjectBuilder::new()
                    .schema_type(nullable(Type::String))
                    .description(Some("The step to go on with; without a route the path ends.")),
            )
            .property(
                "selectNextStep",
                any_map().description(Some(
                    "Step ids and their conditions: every step whose condition is true comes next; those with \
                     `null` when none is.",
                )),
            )
            .property("do", bodies)
            .property("retry", retry)
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([Value::Object(Map::from_iter([
                ("id".to_owned(), "pong".into()),
                ("stepType".to_owned(), "SMS".into()),
                (
                    "inputs".to_owned(),
                    serde_json::json!({
                        "subAccountId": "acme_sms", "destination": "{{data.payload.source}}", "text": "Pong"
                    }),
                ),
            ]))])
            .into()
    }
}

fn describe_types() -> String {
    let mut text =
        "Any letter case. The types, in brackets their other names, and the inputs that each needs:\n"
            .to_owned();
    for step_type in StepType::ALL {
        let shape = step_type.shape();
        let needs: Vec<String> = shape.required().map(|input| format!("`{input}`")).collect();
        let needs = if needs.is_empty() { "none".to_owned() } else { needs.join(", ") };
        let aliases: Vec<String> = shape.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
        write!(text, "\n- `{}`{aliases}: {needs}", shape.name)
            .expect("writing to a string cannot end in an error");
    }
    text
}
