//! What this API answers with a status of 400 or more: `application/problem+json` (Workflows API 7).

use std::borrow::Cow;

use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trunkline_store::StoreError;
use trunkline_workflow::dispatch::RequestError;
use trunkline_workflow::strict_json::Malformed;
use utoipa::{IntoResponses, ToSchema};

use super::trace::{TRACE_ID, fresh_id, header_value};
use crate::api::error::{ApiError, Refusal, chain, is_passing};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const CHALLENGES: HeaderValue = HeaderValue::from_static("Basic realm=\"Trunkline\", Bearer");
/// Seconds after which a database that is down is worth another try, and a key has requests left again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

const INVALID_PARAMS: &str = "https://www.nexmo.com/messages/Errors#InvalidParams";
/// In front of the name of an error.
const ERRORS: &str = "https://developer.nexmo.com/api-errors";

/// The errors of the catalogue that happen here. Nobody is told by them which part of a credential is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// All that is wrong with the fields of a body or a query; at least one.
    #[error("Found errors validating {} of your submitted parameters.", .0.len())]
    InvalidParams(Vec<InvalidParameter>),
    /// No JSON, or no object.
    #[error("{0}")]
    InvalidJson(Malformed),
    #[error("You did not provide correct credentials.")]
    Unauthorized,
    #[error("The JWT is past its expiry.")]
    JwtExpired,
    #[error("Provide one `Authorization` header with one credential.")]
    MultipleAuthMethods,
    #[error("This account has started as many workflows as it may in a month.")]
    LowBalance,
    /// The token's `acl` does not cover the path.
    #[error("The token does not allow this path.")]
    Forbidden,
    #[error("This account is suspended.")]
    AccountSuspended,
    #[error("This application is suspended.")]
    ApplicationSuspended,
    #[error("There is nothing at this path.")]
    NotFound,
    #[error("This path does not take this request method.")]
    WrongVerb,
    #[error("The request body did not arrive in time.")]
    BodyTooSlow,
    #[error("The request body is larger than 960 KiB.")]
    BodyTooLarge,
    /// Too many others are as large.
    #[error("there is no room for the request body")]
    Crowded,
    #[error("The Content-Type of a request body is application/json.")]
    UnsupportedContentType,
    #[error("This API key calls more often than it may. Wait and then retry.")]
    RateLimit,
    #[error(transparent)]
    Store(StoreError),
    /// With the panic's message.
    #[error("a handler panicked: {0}")]
    Panicked(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(ApiError),
}

/// A field and what is wrong with it, to be read behind its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvalidParameter {
    /// Members with dots, elements in brackets from 0.
    #[schema(example = "capabilities.messages.webhooks.status_url.address")]
    pub name: String,
    #[schema(value_type = String, example = "must be an absolute http or https URL")]
    pub reason: Cow<'static, str>,
}

impl InvalidParameter {
    pub fn new(name: impl Into<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), reason: reason.into() }
    }
}

impl Problem {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidParams(_) | Self::InvalidJson(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::JwtExpired | Self::MultipleAuthMethods => StatusCode::UNAUTHORIZED,
            Self::LowBalance => StatusCode::PAYMENT_REQUIRED,
            Self::Forbidden | Self::AccountSuspended | Self::ApplicationSuspended => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongVerb => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if is_passing(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Panicked(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The end of the `type`, and the title.
    fn name_and_title(&self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidParams(_) => ("", "Your request parameters didn't validate."),
            Self::InvalidJson(_) => ("#invalid-json", "The request body did not contain valid JSON"),
            Self::Unauthorized => ("#unauthorized", "Invalid credentials supplied"),
            Self::JwtExpired => ("#jwt-expired", "JWT expired"),
            Self::MultipleAuthMethods => ("#multiple-auth-methods", "Multiple authentication methods"),
            Self::LowBalance => ("#low-balance", "Low balance"),
            Self::Forbidden => ("#forbidden", "Forbidden"),
            Self::AccountSuspended => ("#account-suspended", "Account suspended"),
            Self::ApplicationSuspended => ("#application-suspended", "Application suspended"),
            Self::NotFound => ("#not-found", "Not Found"),
            Self::WrongVerb => ("#wrong-verb", "Request method not allowed"),
            Self::BodyTooSlow => ("#invalid-json", "Request body incomplete"),
            Self::BodyTooLarge => ("#invalid-json", "Request body too large"),
            Self::UnsupportedContentType => ("#content-type-header", "Unsupported Content-Type header"),
            Self::RateLimit => ("/messages-olympus#1000", "Rate Limit Hit"),
            Self::Crowded => ("/messages-olympus#1030", "Service unavailable"),
            Self::Store(error) if is_passing(error) => ("/messages-olympus#1030", "Service unavailable"),
            Self::Store(_) | Self::Panicked(_) | Self::Internal(_) => {
                ("/messages-olympus#1030", "Internal error")
            }
        }
    }

    /// What the caller reads: of our own defects no more than that there was one.
    fn detail(&self, status: StatusCode) -> String {
        match status {
            StatusCode::SERVICE_UNAVAILABLE => "The service is not available at the moment.".to_owned(),
            StatusCode::INTERNAL_SERVER_ERROR => "Something went wrong on our side.".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What parts that both APIs use have found wrong.
impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::InvalidParameter(name) => {
                Self::InvalidParams(vec![InvalidParameter::new(name, "is not valid")])
            }
            ApiError::InvalidBody(malformed) => Self::InvalidJson(malformed),
            ApiError::BodyTooLarge { .. } => Self::BodyTooLarge,
            ApiError::BodyTooSlow => Self::BodyTooSlow,
            ApiError::Crowded => Self::Crowded,
            ApiError::UnsupportedContentType => Self::UnsupportedContentType,
            ApiError::Store(error) | ApiError::NotReady(error) => Self::Store(error),
            ApiError::Panicked(message) => Self::Panicked(message),
            error => Self::Internal(error),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::InvalidJson(malformed) => Self::InvalidJson(malformed),
            RequestError::InvalidParameters(parameters) => Self::InvalidParams(
                parameters.into_iter().map(|found| InvalidParameter::new(found.name, found.reason)).collect(),
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let instance = fresh_id();
        let (name, title) = self.name_and_title();
        let detail = self.detail(status);
        let defect = status.is_server_error().then(|| chain(&self));
        let (of_type, invalid_parameters) = match self {
            Self::InvalidParams(parameters) => (INVALID_PARAMS.to_owned(), Some(parameters)),
            _ => (format!("{ERRORS}{name}"), None),
        };
        let body = ProblemBody { of_type, title, detail, instance: instance.clone(), invalid_parameters };
        let text = serde_json::to_vec(&body).expect("texts are always JSON");
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(TRACE_ID, header_value(&instance));
        match status {
            StatusCode::UNAUTHORIZED => headers.insert(WWW_AUTHENTICATE, CHALLENGES),
            StatusCode::REQUEST_TIMEOUT => headers.insert(CONNECTION, HeaderValue::from_static("close")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
            _ => None,
        };
        let code = i32::from(status.as_u16());
        response.extensions_mut().insert(Refusal { code, error_id: instance, defect });
        response
    }
}

/// What every answer of this API with a status of 400 or more carries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A URI that names the kind of error.
    #[serde(rename = "type")]
    #[schema(example = "https://developer.nexmo.com/api-errors#unauthorized")]
    of_type: String,
    #[schema(example = "Invalid credentials supplied")]
    title: &'static str,
    /// What happened, for people.
    #[schema(example = "You did not provide correct credentials.")]
    detail: String,
    /// Another one for each answer, the same as the `X-Nexmo-Trace-Id` header; the server's log knows it.
    #[schema(pattern = "^[0-9a-f]{32}$")]
    instance: String,
    /// Of `#InvalidParams` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    invalid_parameters: Option<Vec<InvalidParameter>>,
}

/// Problems that every operation for holders of an API key may answer with, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum KeyProblems {
    /// There is no `Authorization: Basic` header with an API key and a secret in force.
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "`Basic`, `Bearer`"))
    )]
    Unauthorized(ProblemBody),
    /// The account is suspended.
    #[response(status = 403, content_type = "application/problem+json")]
    AccountSuspended(ProblemBody),
    /// More than 30 calls of the API key in a second.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = i32, description = "Seconds"))
    )]
    RateLimit(ProblemBody),
    /// A defect of ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// The database is not available, or too many large bodies come at once; nothing was answered that did not happen.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = i32, description = "Seconds"))
    )]
    Unavailable(ProblemBody),
}

/// Problems that every operation for those who send may answer with, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum CallerProblems {
    /// There is no `Authorization` header with an API key and a secret in force, or with a token of an application.
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "`Basic`, `Bearer`"))
    )]
    Unauthorized(ProblemBody),
    /// The account or the application is suspended, or the token does not allow the path.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// More than 30 calls of the API key in a second.
    #[response(
        status = 429,
        content_type = "application/problem+json",
        headers(("Retry-After" = i32, description = "Seconds"))
    )]
    RateLimit(ProblemBody),
    /// A defect of ours.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemBody),
    /// The database is not available, or too many large bodies come at once; nothing was answered that did not happen.
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = i32, description = "Seconds"))
    )]
    Unavailable(ProblemBody),
}

/// The problem of operations that start what the account's quota counts, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum QuotaProblems {
    /// The account's quota of this month is used up (`#low-balance`).
    #[response(status = 402, content_type = "application/problem+json")]
    LowBalance(ProblemBody),
}

/// Problems of operations that read a body, for the OpenAPI document.
#[derive(IntoResponses)]
pub enum BodyProblems {
    /// The body is no JSON object (`#invalid-json`), or its fields are wrong (`#InvalidParams`).
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// The body did not arrive within 30 seconds.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(ProblemBody),
    /// The body is larger than 960 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The content type is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedContentType(ProblemBody),
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    async fn read(problem: Problem) -> (StatusCode, axum::http::HeaderMap, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn n_011_every_problem_has_the_four_members_and_its_id_as_a_header() {
        let invalid = vec![InvalidParameter::new("template", "must be failover")];
        for (problem, status, of_type) in [
            (Problem::InvalidParams(invalid), 400, INVALID_PARAMS),
            (Problem::InvalidJson(Malformed::whole("x")), 400, "#invalid-json"),
            (Problem::Unauthorized, 401, "#unauthorized"),
            (Problem::JwtExpired, 401, "#jwt-expired"),
            (Problem::MultipleAuthMethods, 401, "#multiple-auth-methods"),
            (Problem::LowBalance, 402, "#low-balance"),
            (Problem::Forbidden, 403, "#forbidden"),
            (Problem::AccountSuspended, 403, "#account-suspended"),
            (Problem::ApplicationSuspended, 403, "#application-suspended"),
            (Problem::NotFound, 404, "#not-found"),
            (Problem::WrongVerb, 405, "#wrong-verb"),
            (Problem::BodyTooSlow, 408, "#invalid-json"),
            (Problem::Crowded, 503, "/messages-olympus#1030"),
            (Problem::BodyTooLarge, 413, "#invalid-json"),
            (Problem::UnsupportedContentType, 415, "#content-type-header"),
            (Problem::RateLimit, 429, "/messages-olympus#1000"),
            (StoreError::Damaged("row 7".to_owned()).into(), 500, "/messages-olympus#1030"),
            (Problem::Panicked("row 7".to_owned()), 500, "/messages-olympus#1030"),
            (StoreError::NotMigrated.into(), 503, "/messages-olympus#1030"),
        ] {
            let (found, headers, body) = read(problem).await;
            assert_eq!(found, status);
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
            assert!(body["type"].as_str().unwrap().ends_with(of_type), "{body}");
            assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
            assert!(!body.to_string().contains("row 7"), "{body}");
            let instance = body["instance"].as_str().unwrap();
            assert_eq!(headers[TRACE_ID], instance);
            let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(instance.len() == 32 && instance.chars().all(is_digit), "{instance}");
            assert_eq!(headers.contains_key(WWW_AUTHENTICATE), status == 401);
            assert_eq!(headers.contains_key(RETRY_AFTER), matches!(status, 429 | 503));
            assert_eq!(body["invalid_parameters"].is_array(), of_type == INVALID_PARAMS);
            assert_eq!(body.as_object().unwrap().len(), if of_type == INVALID_PARAMS { 5 } else { 4 });
        }
    }

    #[tokio::test]
    async fn n_051_all_invalid_parameters_are_counted_and_listed() {
        let invalid = vec![
            InvalidParameter::new(
                "workflow[0].failover.expiry_time",
                "must be an integer between 15 and 86400",
            ),
            InvalidParameter::new("workflow[1].to.number", "must not start with +"),
        ];
        let (_, _, body) = read(Problem::InvalidParams(invalid)).await;
        assert_eq!(body["title"], "Your request parameters didn't validate.");
        assert_eq!(body["detail"], "Found errors validating 2 of your submitted parameters.");
        assert_eq!(body["invalid_parameters"][1]["name"], "workflow[1].to.number");
        assert_eq!(body["invalid_parameters"][1]["reason"], "must not start with +");
    }
}
