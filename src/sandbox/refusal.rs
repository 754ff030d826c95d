//! The platform's way of saying no: a status and the error object of spec 2.1.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use trunkline_connectors::eight_by_eight::wire::{ErrorBody, write_timestamp};
use uuid::Uuid;

/// What is wrong with a request, before it is known when and how that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invalid {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Invalid {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn at(self, now: DateTime<Utc>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, self.code, self.message, now)
    }
}

#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    retry_after: Option<u32>,
    body: ErrorBody,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: i64, message: impl Into<String>, now: DateTime<Utc>) -> Self {
        let body = ErrorBody {
            code,
            message: message.into(),
            error_id: Uuid::new_v4().to_string(),
            timestamp: write_timestamp(now),
        };
        Self { status, retry_after: None, body }
    }

    pub(super) fn message(&self) -> &str {
        &self.body.message
    }

    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
