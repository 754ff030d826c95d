//! What a create or update request holds, for the OpenAPI document. `check_input` is what reads it.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};
use trunkline_workflow::step::StepType;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
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
}

/// What starts instances.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Trigger {
    InboundSms,
    InboundChatApps,
    HttpRequest,
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
        let bodies = ArrayBuilder::new()
            .schema_type(nullable(Type::Array))
            .items(ArrayBuilder::new().items(utoipa::openapi::Ref::from_schema_name("Step")))
            .description(Some("Of `If`: the sequences that run while its condition holds."));
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
        let needs: Vec<String> = shape.required.iter().map(|input| format!("`{input}`")).collect();
        let needs = if needs.is_empty() { "none".to_owned() } else { needs.join(", ") };
        let aliases: Vec<String> = shape.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let aliases = if aliases.is_empty() { String::new() } else { format!(" ({})", aliases.join(", ")) };
        write!(text, "\n- `{}`{aliases}: {needs}", shape.name)
            .expect("writing to a string cannot end in an error");
    }
    text
}
