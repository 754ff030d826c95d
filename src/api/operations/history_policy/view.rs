//! The policy on the wire.

use serde::Serialize;
use trunkline_workflow::history_policy::{Bodies, HistoryPolicy};
use utoipa::ToSchema;

/// What the history keeps of bodies, inputs and outputs. What opens something is never kept: `Authorization`, cookies,
/// keys, tokens and signatures in headers, members and URLs, and everything of a connector that is secret.
#[derive(Serialize, ToSchema)]
#[schema(as = HistoryPolicy)]
pub struct HistoryPolicyView {
    #[schema(value_type = BodiesSchema)]
    bodies: Bodies,
    /// Further headers that are never kept, each of 1 to 100 characters.
    #[schema(max_items = 100, required = false)]
    headers: Vec<String>,
    /// Further members of JSON and parameters of URLs that are never kept, each of 1 to 100 characters.
    #[schema(max_items = 100, required = false)]
    members: Vec<String>,
}

/// `keep`: as they are; `redact`: the form, and of each text its length; `hash`: the form, and of each text a keyed hash,
/// the same for the same text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Bodies)]
#[expect(dead_code, reason = "describes `Bodies`, which knows nothing of this document")]
pub enum BodiesSchema {
    Keep,
    Redact,
    Hash,
}

impl From<HistoryPolicy> for HistoryPolicyView {
    fn from(policy: HistoryPolicy) -> Self {
        let HistoryPolicy { bodies, headers, members } = policy;
        Self { bodies, headers, members }
    }
}
