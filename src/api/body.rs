//! Request bodies: JSON of at most 1 MiB (U-06, U-56).

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures::StreamExt;
use serde_json::{Map, Value};
use trunkline_workflow::context::{MAX_DEPTH, depth};

use super::error::ApiError;

const MAX_BYTES: usize = 1 << 20;

/// A body as it came. May be empty.
pub struct Body(pub Vec<u8>);

impl Body {
    /// Any JSON that a context can hold.
    pub fn json(&self) -> Result<Value, ApiError> {
        let body = serde_json::from_slice(&self.0).map_err(|_| ApiError::InvalidBody)?;
        if depth(&body) >= MAX_DEPTH { Err(ApiError::InvalidBody) } else { Ok(body) }
    }

    pub fn json_object(&self) -> Result<Map<String, Value>, ApiError> {
        match self.json()? {
            Value::Object(members) => Ok(members),
            _ => Err(ApiError::InvalidBody),
        }
    }

    /// No body at all, or blanks.
    pub fn is_absent(&self) -> bool {
        self.0.trim_ascii().is_empty()
    }
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_json_or_unnamed(request.headers()) {
            return Err(ApiError::UnsupportedContentType);
        }
        let announced = announced_length(request.headers());
        if announced.is_some_and(|length| length > MAX_BYTES) {
            return Err(ApiError::BodyTooLarge);
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
        let mut chunks = request.into_body().into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| ApiError::InvalidBody)?;
            if bytes.len() + chunk.len() > MAX_BYTES {
                return Err(ApiError::BodyTooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Self(bytes))
    }
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `application/json` with any parameters; a missing type is let pass.
fn is_json_or_unnamed(headers: &HeaderMap) -> bool {
    let Some(header) = headers.get(CONTENT_TYPE) else { return true };
    let media_type = header.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_accepted_under_its_name_or_none() {
        for (content_type, accepted) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json ;charset=ascii", true),
            ("text/xml", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(is_json_or_unnamed(&headers), accepted, "{content_type}");
        }
        assert!(is_json_or_unnamed(&HeaderMap::new()));
    }
}
