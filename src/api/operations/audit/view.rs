//! Lines of the audit as they are shown.

use serde::Serialize;
use serde_json::value::RawValue;
use trunkline_store::audit::AuditEntry;
use trunkline_store::explain::SuspendedBy;
use utoipa::ToSchema;

use crate::api::error::ApiError;
use crate::api::timestamp::Timestamp;

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorView {
    /// `key`, `application`, `api-key`, `command-line` or `trunkline`.
    #[schema(example = "key")]
    kind: String,
    /// The id of the key or application.
    #[schema(required)]
    id: Option<String>,
    /// What the key is called; at a shell the user.
    #[schema(required)]
    name: Option<String>,
}

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditEntryView {
    id: i64,
    at: Timestamp,
    actor: ActorView,
    /// The noun and the verb.
    #[schema(example = "instance.terminate")]
    action: String,
    /// The id of what it was done to.
    object: String,
    /// What the header `Trunkline-Reason` said.
    #[schema(required)]
    reason: Option<String>,
    /// What changed.
    #[schema(required, value_type = Option<Object>)]
    detail: Option<Box<RawValue>>,
}

impl TryFrom<AuditEntry> for AuditEntryView {
    type Error = ApiError;

    fn try_from(entry: AuditEntry) -> Result<Self, ApiError> {
        Ok(Self {
            id: entry.id,
            at: Timestamp(entry.at),
            actor: ActorView { kind: entry.actor_kind, id: entry.actor_id, name: entry.actor_name },
            action: entry.action,
            object: entry.object,
            reason: entry.reason,
            detail: entry.detail.map(RawValue::from_string).transpose()?,
        })
    }
}

impl ActorView {
    pub fn new(kind: String, id: Option<String>, name: Option<String>) -> Self {
        Self { kind, id, name }
    }
}

impl From<&SuspendedBy> for ActorView {
    fn from(by: &SuspendedBy) -> Self {
        Self { kind: by.actor_kind.clone(), id: by.actor_id.clone(), name: by.actor_name.clone() }
    }
}
