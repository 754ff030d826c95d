//! Request bodies of this API: a JSON object of at most 960 KiB. Of members that occur twice the last one counts, as
//! for the service that clients were written for.

use axum::extract::{FromRequest, Request};
use serde_json::{Map, Value};
use trunkline_workflow::context::{MAX_DEPTH, depth};
use trunkline_workflow::strict_json::Malformed;

use super::problem::Problem;
use crate::api::body::{Body, Room, is_json_or_unnamed};

/// Bytes: a workflow's context holds them, what it keeps besides, and 1 MiB at most.
const LONGEST: usize = 960 << 10;

/// To be taken behind the caller: nobody's body is read before we know who it is.
pub struct JsonBody(pub Map<String, Value>, pub Room);

impl<S: Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonBytes(body, room) = JsonBytes::from_request(request, state).await?;
        read(&body).map(|body| Self(body, room)).map_err(Problem::InvalidJson)
    }
}

/// What says that it is JSON, and is still to be read.
pub struct JsonBytes(pub Vec<u8>, pub Room);

impl<S: Sync> FromRequest<S> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json_or_unnamed(request.headers());
        // Read in any case: a client that is still sending may never see the answer.
        let body = Body::from_request(request, state).await;
        if !is_json {
            return Err(Problem::UnsupportedContentType);
        }
        let Body(body, room) = body?;
        if body.len() > LONGEST { Err(Problem::BodyTooLarge) } else { Ok(Self(body, room)) }
    }
}

fn read(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Malformed::at_place(body, &error))?;
    if depth(&body) >= MAX_DEPTH {
        return Err(Malformed::too_deep());
    }
    if has_nul(&body) {
        return Err(Malformed::whole("a NUL character"));
    }
    match body {
        Value::Object(members) => Ok(members),
        _ => Err(Malformed::whole("it must be an object")),
    }
}

/// PostgreSQL's text cannot hold it.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn n_012_a_body_is_an_object_and_the_last_of_equal_members_counts() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        for bad in
            ["", "{", "[]", "null", "\"x\"", "{\"a\": \"\\u0000\"}", "{\"\\u0000\": 1}", &deep, "{} {}"]
        {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read(b"{\"a\": \"\xff\"}").is_err());
        let body = read(br#"{"a": 1, "b": "gr\u00f6\u00dfer", "a": 10000000000000001}"#).unwrap();
        assert_eq!((&body["a"], &body["b"]), (&10_000_000_000_000_001_u64.into(), &"größer".into()));
    }
}
