//! A definition as the wire shows it (spec 2.1).

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use trunkline_store::definitions::Definition;
use trunkline_workflow::Version;
use utoipa::ToSchema;
use uuid::Uuid;

use super::input_schema::{Status, Trigger};
use crate::api::error::ApiError;
use crate::api::timestamp::Timestamp;

/// One version of a definition. Members that the server does not know are kept and shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Definition)]
pub struct DefinitionView {
    account_id: String,
    /// `null`: the trigger takes events of any subaccount.
    #[schema(required)]
    sub_account_id: Option<String>,
    #[schema(value_type = Trigger)]
    trigger: &'static str,
    #[schema(value_type = Status)]
    status: &'static str,
    id: Uuid,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
    /// Of the definition: the same in all its versions.
    created_at: Timestamp,
    definition: BlueprintView,
    #[serde(flatten)]
    #[schema(ignore)]
    extras: Map<String, Value>,
}

/// The blueprint itself. Members that the server does not know are kept and shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Blueprint)]
struct BlueprintView {
    id: Uuid,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
    name: String,
    /// As submitted, oddities included.
    #[schema(value_type = Vec<Object>)]
    steps: Box<RawValue>,
    #[serde(flatten)]
    #[schema(ignore)]
    extras: Map<String, Value>,
}

impl DefinitionView {
    pub fn new(definition: Definition) -> Result<Self, ApiError> {
        Ok(Self {
            account_id: definition.account.to_string(),
            sub_account_id: definition.subaccount,
            trigger: definition.trigger.as_str(),
            status: if definition.enabled { "enabled" } else { "disabled" },
            id: definition.id,
            version: definition.version,
            created_at: Timestamp(definition.created_at),
            definition: BlueprintView {
                id: definition.id,
                version: definition.version,
                name: definition.name,
                steps: RawValue::from_string(definition.steps)?,
                extras: definition.extras.definition,
            },
            extras: definition.extras.envelope,
        })
    }
}
