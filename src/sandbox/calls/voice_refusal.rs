//! The voice API's way of saying no (spec 8.4.3).

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use uuid::Uuid;

use crate::sandbox::provoke_failure::Fault;
use crate::sandbox::refusal::Invalid;

use super::order::bad_destination;

#[derive(Debug)]
pub(in crate::sandbox) struct VoiceRefusal {
    status: StatusCode,
    retry_after: Option<u32>,
    code: i64,
    message: String,
}

impl VoiceRefusal {
    pub(super) fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, retry_after: None, code, message: message.into() }
    }
}

impl From<Invalid> for VoiceRefusal {
    fn from(invalid: Invalid) -> Self {
        Self::new(StatusCode::BAD_REQUEST, invalid.code, invalid.message)
    }
}

impl From<Fault> for VoiceRefusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::InvalidNumber => bad_destination().into(),
            Fault::InternalError => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, 500, "Internal server error")
            }
            Fault::TooManyRequests => {
                let message = "Quota exceeded. Please try again in 1 second(s).";
                Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, 429, message) }
            }
        }
    }
}

impl IntoResponse for VoiceRefusal {
    fn into_response(self) -> Response {
        let body = json!({
            "sessionStatus": "NOT_CREATED",
            "callFlowRequestId": Uuid::new_v4(),
            "statusCode": self.code,
            "statusMessage": self.message,
        });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
