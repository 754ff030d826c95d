//! `POST …/batches`: something is done to many instances, or it is counted to how many it would be.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use trunkline_store::batches::{Created, MOST_UNDER_WAY, Selection};
use trunkline_workflow::strict_json::Malformed;

use super::input::{BatchInput, BatchSchema, repeatable};
use super::view::{BatchView, DryRunView};
use crate::api::auth::{Account, Caller, Operator};
use crate::api::body::LongBody;
use crate::api::error::{AccountErrors, ApiError, BodyErrors, ErrorBody};
use crate::api::idempotency::{IdempotencyHeader, RequestKey};
use crate::api::json::Json;
use crate::api::path;
use crate::api::state::ApiState;

/// Run again, suspend, resume or terminate many instances
///
/// The instances that match at this moment are written down; workers then go through them at the rate that is allowed,
/// and each is done, skipped or failed exactly once. With `dryRun` nothing is written and the answer says how many
/// there are. A filter has at least one condition, and what matches none is refused. Of an account 10 batches may be under
/// way; an instance that was run again before is skipped, unless `again` is said.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{accountId}/batches",
    operation_id = "create-batch",
    tag = "Operations",
    params(Account, IdempotencyHeader),
    request_body = BatchSchema,
    responses(
        (status = 200, description = "With `dryRun`: the counts.", body = DryRunView),
        (status = 201, description = "It is stored and will be carried out.", body = BatchView,
         headers(("Location" = String, description = "The batch's path."))),
        (status = 400, description = "A member is invalid, or there is no such instance, or there are too many, or too \
         many batches.",
         body = ErrorBody),
        (status = 404, description = "There is no such definition.", body = ErrorBody),
        (status = 409, description = "The `Idempotency-Key` was used with another request.", body = ErrorBody),
        AccountErrors,
        BodyErrors,
    )
)]
pub async fn create(
    State(state): State<ApiState>,
    Operator(Caller { account, mut by }): Operator,
    key: RequestKey,
    LongBody(body): LongBody,
) -> Result<Response, ApiError> {
    let members = body.json_object()?;
    let BatchInput { new, is_dry, reason } = BatchInput::read(&members)?;
    let no_definition = || match &new.selection {
        Selection::Filter(search) => search.definition.map(ApiError::DefinitionNotFound),
        Selection::Instances(_) => None,
    };
    let no_definition = || no_definition().unwrap_or(ApiError::InvalidParameter("filter"));
    if is_dry {
        let dry = state.store.try_batch(&account, &new.selection).await?.ok_or_else(no_definition)?;
        return Ok(Json(DryRunView::from(dry)).into_response());
    }
    by.reason = reason.or(by.reason);
    let key = key.for_body(&account, repeatable(members).as_bytes());
    match state.store.create_batch(&account, &new, key.as_ref(), &by).await? {
        Created::Batch(batch) => {
            let location = path::of_batch(&account, batch.id);
            Ok((StatusCode::CREATED, [(LOCATION, location)], Json(BatchView::new(*batch)?)).into_response())
        }
        Created::NoDefinition => Err(no_definition()),
        Created::Empty => Err(Malformed::whole("it matches no instance").into()),
        Created::TooLarge => {
            Err(Malformed::whole("it matches more than 100,000 instances: narrow it").into())
        }
        Created::TooSlow => {
            Err(Malformed::whole("what it matches is not found in time: name a definition, or times").into())
        }
        Created::MoreThanAsked(count) => {
            Err(Malformed::whole(format!("it matches {count} instances, more than `atMost`")).into())
        }
        Created::TooManyUnderWay => Err(Malformed::whole(format!(
            "{MOST_UNDER_WAY} batches of the account have not ended: wait for one, or abort one"
        ))
        .into()),
        Created::KeyReused => Err(ApiError::KeyReused),
    }
}
