//! The platform's way of saying no on this wire: a problem document, which the two generations fill in differently
//! (Workflows API 7, 12.2).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use trunkline_connectors::messages_api::Version;
use trunkline_workflow::dispatch::InvalidParameter;
use uuid::Uuid;

use crate::sandbox::provoke_failure::Fault;

const INVALID_PARAMS: &str = "https://www.nexmo.com/messages/Errors#InvalidParams";
const ERRORS: &str = "https://developer.nexmo.com/api-errors";

#[derive(Debug)]
pub(in crate::sandbox) struct Problem {
    status: StatusCode,
    of_type: String,
    title: &'static str,
    detail: String,
    invalid_parameters: Vec<InvalidParameter>,
}

impl Problem {
    fn new(status: StatusCode, of_type: String, title: &'static str, detail: &str) -> Self {
        Self { status, of_type, title, detail: detail.to_owned(), invalid_parameters: Vec::new() }
    }

    pub(super) fn unauthorized(version: Version) -> Self {
        let (of_type, title) = match version {
            Version::V0_1 => (format!("{ERRORS}#unauthorized"), "Invalid credentials supplied"),
            // Spelled as v1 spells it.
            Version::V1 => (format!("{ERRORS}/#unathorized"), "Unauthorised"),
        };
        Self::new(StatusCode::UNAUTHORIZED, of_type, title, "You did not provide correct credentials.")
    }

    pub(super) fn invalid_json(version: Version) -> Self {
        let (status, detail) =
            (refusal_of(version), "The request body is not a JSON object, or is not JSON at all.");
        Self::new(
            status,
            format!("{ERRORS}#invalid-json"),
            "The request body did not contain valid JSON",
            detail,
        )
    }

    /// Each with its name in this generation. v1 has a type for what is wrong with the first.
    pub(super) fn invalid_parameters(version: Version, invalid_parameters: Vec<InvalidParameter>) -> Self {
        let count = invalid_parameters.len();
        let detail = format!("Found errors validating {count} of your submitted parameters.");
        let (of_type, title) = match version {
            Version::V0_1 => (INVALID_PARAMS.to_owned(), "Your request parameters didn't validate."),
            Version::V1 => {
                let first = invalid_parameters.first().map_or("", |parameter| &parameter.name);
                let (code, title) = code_of_v1(first);
                (olympus(code), title)
            }
        };
        Self { invalid_parameters, ..Self::new(refusal_of(version), of_type, title, &detail) }
    }

    /// What the last digits of a recipient provoke. `recipient` is the field's name.
    pub(super) fn provoked(version: Version, fault: Fault, recipient: &str) -> Self {
        match fault {
            Fault::InvalidNumber => {
                let (name, reason) = (recipient.to_owned(), "is not valid, says the sandbox".to_owned());
                Self::invalid_parameters(version, vec![InvalidParameter { name, reason }])
            }
            Fault::TooManyRequests => {
                let detail = "You sent more messages than you may. Try again in a second.";
                Self::new(StatusCode::TOO_MANY_REQUESTS, olympus(1000), "Rate Limit Hit", detail)
            }
            Fault::InternalError => {
                let detail = "Something went wrong on the platform's side.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, olympus(1030), "Internal error", detail)
            }
        }
    }
}

/// What a request is answered with that is not in order.
fn refusal_of(version: Version) -> StatusCode {
    match version {
        Version::V0_1 => StatusCode::BAD_REQUEST,
        Version::V1 => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn olympus(code: u16) -> String {
    format!("{ERRORS}/messages-olympus#{code}")
}

/// By the field that is wrong. The recipient's number has one digit less than the others.
fn code_of_v1(name: &str) -> (u16, &'static str) {
    match name.split(['.', '[']).next().unwrap_or_default() {
        "channel" => (1100, "Unsupported channel"),
        "messenger" | "viber_service" | "whatsapp" => (1110, "Invalid channel parameters"),
        "from" => (1120, "Invalid sender"),
        "to" => (110, "Invalid recipient"),
        "message_type" => (1140, "Invalid message type"),
        "client_ref" => (1060, "Invalid client reference"),
        _ => (1150, "Invalid params"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, of_type, title, detail, invalid_parameters } = self;
        let instance = Uuid::new_v4().simple().to_string();
        let mut body = json!({"type": of_type, "title": title, "detail": detail, "instance": instance});
        if !invalid_parameters.is_empty() {
            body["invalid_parameters"] = json!(invalid_parameters);
        }
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
