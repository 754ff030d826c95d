//! Instances as the search shows them.

use serde::Serialize;
use trunkline_store::search::{Failure, FoundInstance, SearchPage};
use trunkline_workflow::Version;
use utoipa::ToSchema;
use uuid::Uuid;

use super::cursor;
use crate::api::automation::workflows::view::InstanceStatusSchema;
use crate::api::timestamp::Timestamp;

/// A page of instances, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundInstances)]
pub struct FoundInstancesView {
    /// There may be few or none although there are more pages: a search that goes past many others to find little
    /// ends after a second.
    items: Vec<FoundInstanceView>,
    /// The `cursor` of the next page; `null`: this is the last one.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FoundInstance)]
struct FoundInstanceView {
    #[schema(pattern = "^[0-9a-f]{24}$", example = "66b1f0c2a94d5e0f1c2b3a4d")]
    instance_id: String,
    definition_id: Uuid,
    /// Of the definition.
    name: String,
    #[schema(value_type = i32, minimum = 1)]
    version: Version,
    #[schema(value_type = InstanceStatusSchema)]
    status: &'static str,
    started_at: Timestamp,
    #[schema(required)]
    completed_at: Option<Timestamp>,
    /// Why it ended by itself before its end.
    #[schema(required)]
    failure: Option<FailureView>,
}

/// Why an instance ended by itself before its end.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
struct FailureView {
    /// Its `id` in the definition.
    step: String,
    /// At most 2,000 characters of it.
    message: String,
    /// The same for messages that differ in numbers, ids and quoted texts only.
    #[schema(pattern = "^[0-9a-f]{16}$", example = "9f2c4e1b7a90d356")]
    fingerprint: String,
}

impl From<SearchPage> for FoundInstancesView {
    fn from(page: SearchPage) -> Self {
        Self {
            items: page.items.into_iter().map(FoundInstanceView::from).collect(),
            next: page.next.map(cursor::write),
        }
    }
}

impl From<FoundInstance> for FoundInstanceView {
    fn from(found: FoundInstance) -> Self {
        Self {
            instance_id: found.id.to_string(),
            definition_id: found.definition,
            name: found.name,
            version: found.version,
            status: found.status.as_str(),
            started_at: Timestamp(found.started_at),
            completed_at: found.completed_at.map(Timestamp),
            failure: found.failure.map(FailureView::from),
        }
    }
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        let Failure { step, message, fingerprint } = failure;
        Self { step, message, fingerprint: fingerprint.to_string() }
    }
}
