//! JSON answers: UTF-8, and they say so (spec 2.1).

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => ([(CONTENT_TYPE, JSON)], text).into_response(),
            Err(error) => ApiError::from(error).into_response(),
        }
    }
}
