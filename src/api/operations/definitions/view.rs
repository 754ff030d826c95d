//! The state of a definition as it is shown.

use serde::Serialize;
use trunkline_store::limits::StateChange;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::timestamp::Timestamp;

/// Whether a definition runs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DefinitionState)]
pub struct StateView {
    definition_id: Uuid,
    /// `running`, `paused` or `draining`.
    #[schema(example = "paused")]
    state: &'static str,
    /// Since when; null: it was never anything else.
    #[schema(required)]
    since: Option<Timestamp>,
}

impl StateView {
    pub(super) fn new(definition_id: Uuid, change: StateChange) -> Self {
        Self { definition_id, state: change.state.as_str(), since: change.changed_at.map(Timestamp) }
    }
}
