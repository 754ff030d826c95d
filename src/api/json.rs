//! JSON answers: UTF-8, and they say so (spec 2.1).

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, future, stream};
use serde::Serialize;
use trunkline_store::page::Listed;

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

/// A list. What is not there yet is read when the client has taken what is: five hundred items of a MiB are more than a
/// server may have in memory for each who asks. `load`: `None` for what is gone meanwhile.
pub(super) fn list<T, K, V, F>(
    listed: Listed<T, K>,
    view: impl Fn(T) -> Result<V, ApiError> + Send + 'static,
    load: impl Fn(K) -> F + Send + 'static,
) -> Result<Response, ApiError>
where
    T: Send,
    K: Send + 'static,
    V: Serialize,
    F: Future<Output = Result<Option<T>, ApiError>> + Send + 'static,
{
    let here = listed.here.into_iter().map(&view).collect::<Result<Vec<V>, _>>()?;
    if listed.left.is_empty() {
        return Ok(Json(here).into_response());
    }
    let mut begun = serde_json::to_vec(&here)?;
    begun.pop();
    let mut is_first = here.is_empty();
    let left = stream::iter(listed.left).then(load).filter_map(move |loaded| {
        let written = loaded.and_then(|item| item.map(&view).transpose()).and_then(|item| {
            let Some(item) = item else { return Ok(None) };
            let mut text = if is_first { Vec::new() } else { vec![b','] };
            serde_json::to_writer(&mut text, &item)?;
            is_first = false;
            Ok(Some(Bytes::from(text)))
        });
        // Too late for another status: a list that is cut off in its midst is none.
        future::ready(written.inspect_err(|error| tracing::error!(%error, "a list is cut off")).transpose())
    });
    let begun = stream::iter([Ok(Bytes::from(begun))]);
    let text = begun.chain(left).chain(stream::iter([Ok(Bytes::from_static(b"]"))]));
    Ok(([(CONTENT_TYPE, JSON)], Body::from_stream(text)).into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn text(here: Vec<u8>, left: Vec<u8>) -> Result<String, axum::Error> {
        let load = |key| async move {
            match key {
                0 => Err(ApiError::Crowded),
                key => Ok(Some(key).filter(|key| key % 2 == 0)),
            }
        };
        let answer = list(Listed { here, left }, Ok, load).unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]), (200, &JSON));
        to_bytes(answer.into_body(), usize::MAX).await.map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_not_there_yet_follows_and_what_is_gone_does_not() {
        for (here, left, whole) in [
            (vec![], vec![], "[]"),
            (vec![1, 2], vec![], "[1,2]"),
            (vec![1], vec![2, 3, 4], "[1,2,4]"),
            (vec![], vec![3, 4, 5, 6], "[4,6]"),
            (vec![], vec![3], "[]"),
        ] {
            assert_eq!(text(here, left).await.unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_to_its_end_is_cut_off() {
        assert!(text(vec![1], vec![2, 0, 4]).await.is_err());
    }
}
