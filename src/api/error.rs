//! Everything that is answered with a status of 400 or more (spec 2.1, 2.17.1).

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;

use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_connectors::clock;
use trunkline_store::StoreError;
use trunkline_store::batches::{BatchCommand, BatchState};
use trunkline_store::keys::Scope;
use trunkline_workflow::control::Command;
use trunkline_workflow::rerun;
use trunkline_workflow::strict_json::Malformed;
use trunkline_workflow::{AccountId, DefinitionId, InstanceId, InstanceStatus};
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::json::Json;
use super::timestamp::Timestamp;

const TOO_MANY_REQUESTS: i32 = 429;
const INVALID_PARAMETER: i32 = 1000;
const UNAUTHORIZED: i32 = 1200;
const FORBIDDEN: i32 = 1201;
const NOT_FOUND: i32 = 1300;
const INTERNAL: i32 = 2000;
const INVALID_DEFINITION: i32 = 5001;

/// Seconds after which a database that is down is worth another try, and an account may call again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// What a caller did wrong, or what went wrong with us.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A member of the path, the query, the headers or the body, by its name.
    #[error("Invalid {0}.")]
    InvalidParameter(&'static str),
    #[error(transparent)]
    InvalidBody(#[from] Malformed),
    /// Breaks one of V1–V15.
    #[error("{0}")]
    InvalidDefinition(String),
    /// Each flaw with its place.
    #[error("{0}")]
    InvalidLimits(String),
    #[error("Request was not authenticated properly")]
    Unauthenticated,
    /// The platform's `Authorization` value is wrong: no scheme that a challenge could name.
    #[error("Request was not authenticated properly")]
    WebhookUnauthenticated,
    #[error("Access forbidden")]
    Forbidden,
    /// The key is the account's, and may not do this.
    #[error("Access forbidden: the key has scope `{}`, and this needs `{}`.", has.as_str(), needed.as_str())]
    OutOfScope { has: Scope, needed: Scope },
    /// The account started what its quota allows in a month (U-36).
    #[error("The account has started all the workflows that it may start this month.")]
    QuotaUsedUp,
    /// In one second; in the next they may go on. The text is the platform's.
    #[error("Quota exceeded. Please try again in 1 second(s).")]
    TooManyRequests,
    #[error("Definition {0} not found.")]
    DefinitionNotFound(DefinitionId),
    /// Somebody wants nothing of it to be started any more.
    #[error("Definition {0} is being drained: nothing of it is started until it is resumed.")]
    DefinitionDraining(DefinitionId),
    #[error("Definition {0} is Trunkline's own: nobody changes, deletes or starts it.")]
    OwnDefinition(DefinitionId),
    #[error("Workflow {0} not found.")]
    WorkflowNotFound(InstanceId),
    #[error("Batch {0} not found.")]
    BatchNotFound(Uuid),
    #[error("Account {0} not found.")]
    AccountNotFound(AccountId),
    #[error("Path {0} not found.")]
    PathNotFound(String),
    #[error("Method {0} is not allowed.")]
    MethodNotAllowed(Method),
    #[error("Workflow {id} cannot be {} because it is {}.", command.participle(), status.as_str())]
    IllegalTransition { id: InstanceId, command: Command, status: InstanceStatus },
    #[error("Workflow {id} cannot be run again: {refusal}.")]
    RerunRefused { id: InstanceId, refusal: rerun::Refusal },
    #[error("Batch {id} cannot be {} because it is {}.", command.participle(), state.as_str())]
    BatchRefused { id: Uuid, command: BatchCommand, state: BatchState },
    #[error("Idempotency-Key was used with another request.")]
    KeyReused,
    #[error("Request body is larger than {mebibytes} MiB.")]
    BodyTooLarge { mebibytes: usize },
    #[error("Request body did not arrive in time.")]
    BodyTooSlow,
    /// Too many others are as large.
    #[error("there is no room for the request body")]
    Crowded,
    #[error("Content type is not application/json.")]
    UnsupportedContentType,
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whatever it is that makes this server unfit for requests, it may pass.
    #[error("the server is not ready")]
    NotReady(#[source] StoreError),
    /// What we stored or made ourselves cannot be written as JSON.
    #[error("an answer cannot be written")]
    Unwritable(#[from] serde_json::Error),
    /// With the panic's message.
    #[error("a handler panicked: {0}")]
    Panicked(String),
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, i32) {
        match self {
            Self::InvalidParameter(_)
            | Self::InvalidBody(_)
            | Self::InvalidLimits(_)
            | Self::IllegalTransition { .. }
            | Self::RerunRefused { .. }
            | Self::BatchRefused { .. } => (StatusCode::BAD_REQUEST, INVALID_PARAMETER),
            Self::InvalidDefinition(_) => (StatusCode::BAD_REQUEST, INVALID_DEFINITION),
            Self::Unauthenticated | Self::WebhookUnauthenticated => (StatusCode::UNAUTHORIZED, UNAUTHORIZED),
            Self::Forbidden | Self::OutOfScope { .. } | Self::OwnDefinition(_) | Self::QuotaUsedUp => {
                (StatusCode::FORBIDDEN, FORBIDDEN)
            }
            Self::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY_REQUESTS),
            Self::DefinitionNotFound(_)
            | Self::WorkflowNotFound(_)
            | Self::BatchNotFound(_)
            | Self::AccountNotFound(_)
            | Self::PathNotFound(_) => (StatusCode::NOT_FOUND, NOT_FOUND),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, INVALID_PARAMETER),
            Self::KeyReused | Self::DefinitionDraining(_) => (StatusCode::CONFLICT, INVALID_PARAMETER),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, INVALID_PARAMETER),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, INVALID_PARAMETER),
            Self::UnsupportedContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_PARAMETER),
            Self::Store(error) if is_passing(error) => (StatusCode::SERVICE_UNAVAILABLE, INTERNAL),
            Self::NotReady(_) | Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, INTERNAL),
            Self::Store(_) | Self::Unwritable(_) | Self::Panicked(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
            }
        }
    }

    /// What the caller reads: of our own defects no more than that there was one.
    fn message(&self, status: StatusCode) -> Cow<'static, str> {
        match status {
            StatusCode::SERVICE_UNAVAILABLE => "The service is not available at the moment.".into(),
            StatusCode::INTERNAL_SERVER_ERROR => "Internal server error".into(),
            _ => self.to_string().into(),
        }
    }
}

/// The same request may work in a moment.
pub(super) fn is_passing(error: &StoreError) -> bool {
    error.is_unavailable()
        || error.is_conflict()
        || error.lacks_master_key()
        || matches!(error, StoreError::NotMigrated)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = ErrorBody {
            code,
            message: self.message(status),
            error_id: Uuid::new_v4(),
            timestamp: Timestamp(clock::now()),
        };
        let refusal = Refusal {
            code,
            error_id: body.error_id.to_string(),
            defect: status.is_server_error().then(|| chain(&self)),
        };
        let mut response = (status, Json(body)).into_response();
        response.extensions_mut().insert(refusal);
        if matches!(self, Self::Unauthenticated) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::REQUEST_TIMEOUT {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }
}

/// What the log is to know of an error. Travels with the response, to where the request's route is known.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) error_id: String,
    /// Of what went wrong with us, the error and its causes. What callers send is not for the log.
    pub(super) defect: Option<String>,
}

/// The error and its causes on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").expect("writing to a string cannot end in an error");
        cause = error.source();
    }
    text
}

/// What every answer with a status of 400 or more carries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Error)]
pub struct ErrorBody {
    /// 429 too many requests, 1000 invalid parameter, 1200 not authenticated, 1201 forbidden, 1300 not found,
    /// 2000 internal error, 5001 invalid definition.
    #[schema(example = 1300)]
    code: i32,
    /// What happened, for people.
    message: Cow<'static, str>,
    /// Another one for each error; the server's log knows it.
    error_id: Uuid,
    timestamp: Timestamp,
}

/// Errors that every operation of an account may answer with, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum AccountErrors {
    /// There is no `Authorization: Bearer` header with a key in force.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Bearer`")))]
    Unauthenticated(ErrorBody),
    /// The key belongs to another account, or its scope does not allow this; or, when an instance is started by hand,
    /// the account has started all that it may start this month.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// The account calls more often than this server allows; by default any number of requests is taken.
    #[response(status = 429, headers(("Retry-After" = i32, description = "Seconds")))]
    TooManyRequests(ErrorBody),
    /// A defect of ours.
    #[response(status = 500)]
    Internal(ErrorBody),
    /// The database is not available, or too many large bodies come at once; nothing was answered that did not happen.
    #[response(status = 503, headers(("Retry-After" = i32, description = "Seconds")))]
    Unavailable(ErrorBody),
}

/// Errors of operations that read a body, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum BodyErrors {
    /// The body did not arrive within 30 seconds.
    #[response(status = 408)]
    TooSlow(ErrorBody),
    /// The body is larger than 1 MiB; of a batch, 4 MiB.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The body's content type is not `application/json`. An empty body needs none.
    #[response(status = 415)]
    UnsupportedContentType(ErrorBody),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_needs_a_key_is_told_of_a_scheme() {
        assert_eq!(ApiError::Unauthenticated.into_response().headers()[WWW_AUTHENTICATE], "Bearer");
        let webhook = ApiError::WebhookUnauthenticated.into_response();
        assert_eq!(webhook.status(), StatusCode::UNAUTHORIZED);
        assert!(webhook.headers().get(WWW_AUTHENTICATE).is_none());
    }

    #[test]
    fn outages_may_be_tried_again_and_defects_say_nothing_about_us() {
        let outage = ApiError::from(StoreError::NotMigrated).into_response();
        assert_eq!(outage.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(outage.headers()[RETRY_AFTER], "1");
        let unready = ApiError::NotReady(StoreError::Damaged("row 7".to_owned())).into_response();
        assert_eq!(unready.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(unready.headers()[RETRY_AFTER], "1");
        let keyless = ApiError::from(StoreError::UnknownMasterKey("66687aad".to_owned()));
        let (status, _) = keyless.status_and_code();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!keyless.message(status).contains("66687aad"));
        let defect = ApiError::from(StoreError::Damaged("row 7".to_owned()));
        let (status, code) = defect.status_and_code();
        assert_eq!((status, code), (StatusCode::INTERNAL_SERVER_ERROR, 2000));
        assert_eq!(defect.message(status), "Internal server error");
        assert_eq!(chain(&defect), "stored data is damaged: row 7");
    }
}
