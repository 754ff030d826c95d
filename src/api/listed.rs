//! Lists whose items may be large: five hundred of a MiB are more than a server may have in memory for everybody who asks.
//! They are read in portions, and the next one when the client has taken the last.

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, future, stream};
use serde::Serialize;
use trunkline_store::page::Listed;

use super::error::{ApiError, chain};
use super::json::{JSON, Json};

/// Bytes of a portion's texts, or one item that has more.
const PORTION: i64 = 1 << 20;

/// What has been read of a portion. What is gone meanwhile is not there.
pub(super) struct Portion<V> {
    pub items: Vec<V>,
    /// Why an item was left out. Of all that is an error, because an empty list would be a lie.
    pub left_out: Option<ApiError>,
}

impl<V> From<Vec<V>> for Portion<V> {
    fn from(items: Vec<V>) -> Self {
        Self { items, left_out: None }
    }
}

/// The answer. It begins when there is something to show, so that what goes wrong before that has its own status; a list
/// that cannot be read to its end is cut off in its midst.
pub(super) async fn answer<K, V, F>(
    listed: Vec<Listed<K>>,
    load: impl Fn(Vec<K>) -> F + Send + 'static,
) -> Result<Response, ApiError>
where
    K: Send + 'static,
    V: Serialize,
    F: Future<Output = Result<Portion<V>, ApiError>> + Send + 'static,
{
    let mut portions = portions(listed).into_iter();
    let mut first = Portion::from(Vec::new());
    while first.items.is_empty()
        && let Some(keys) = portions.next()
    {
        let Portion { items, left_out } = load(keys).await?;
        first = Portion { items, left_out: left_out.or(first.left_out) };
    }
    if portions.len() == 0 {
        return match first {
            Portion { items, left_out: Some(error) } if items.is_empty() => Err(error),
            Portion { items, .. } => Ok(Json(items).into_response()),
        };
    }
    let mut text = serde_json::to_vec(&first.items)?;
    text.pop();
    let left = stream::iter(portions).then(load).map(|portion| {
        let written = portion.and_then(|portion| write(&portion.items));
        written.inspect_err(|error| tracing::error!(error = chain(error), "a list was cut off"))
    });
    let whole = stream::iter([Ok(Bytes::from(text))]).chain(left);
    let whole = whole.chain(stream::once(future::ready(Ok(Bytes::from_static(b"]")))));
    Ok(([(CONTENT_TYPE, JSON)], Body::from_stream(whole)).into_response())
}

/// What comes behind other items.
fn write<V: Serialize>(items: &[V]) -> Result<Bytes, ApiError> {
    let mut text = Vec::new();
    for item in items {
        text.push(b',');
        serde_json::to_writer(&mut text, item)?;
    }
    Ok(Bytes::from(text))
}

fn portions<K>(listed: Vec<Listed<K>>) -> Vec<Vec<K>> {
    let mut portions: Vec<Vec<K>> = Vec::new();
    let mut together = PORTION;
    for Listed { key, bytes } in listed {
        together += bytes;
        match portions.last_mut() {
            Some(portion) if together <= PORTION => portion.push(key),
            _ => {
                portions.push(vec![key]);
                together = bytes;
            }
        }
    }
    portions
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    /// Of keys: 0 cannot be loaded, what is odd is gone, more than 100 cannot be read.
    async fn text(keys: Vec<u8>, bytes: i64) -> Result<String, Option<ApiError>> {
        let load = |keys: Vec<u8>| async move {
            let mut portion = Portion::from(Vec::new());
            for key in keys {
                match key {
                    0 => return Err(ApiError::Crowded),
                    101.. => portion.left_out = Some(ApiError::Crowded),
                    key if key % 2 == 0 => portion.items.push(key),
                    _ => {}
                }
            }
            Ok(portion)
        };
        let listed = keys.into_iter().map(|key| Listed { key, bytes }).collect();
        let answer = answer(listed, load).await.map_err(Some)?;
        assert_eq!((answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]), (200, &JSON));
        let text = to_bytes(answer.into_body(), usize::MAX).await.map_err(|_| None)?;
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_list_is_the_same_in_one_portion_and_in_many() {
        for bytes in [0, PORTION / 2, PORTION, 2 * PORTION] {
            for (keys, whole) in [
                (vec![], "[]"),
                (vec![2, 4], "[2,4]"),
                (vec![2, 4, 3, 6, 8], "[2,4,6,8]"),
                (vec![3, 5, 7, 4, 5, 6], "[4,6]"),
                (vec![3, 5], "[]"),
                (vec![101, 2, 101, 101, 4], "[2,4]"),
            ] {
                assert_eq!(text(keys, bytes).await.unwrap(), whole, "{bytes}");
            }
            let error = text(vec![3, 101, 5], bytes).await.unwrap_err();
            assert!(error.is_some(), "none can be read");
            assert!(text(vec![0, 2], bytes).await.unwrap_err().is_some(), "it has not begun");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_to_its_end_is_cut_off() {
        assert!(text(vec![2, 0, 4], PORTION).await.unwrap_err().is_none());
        assert!(text(vec![2, 0, 4], 0).await.unwrap_err().is_some());
    }

    #[test]
    fn a_portion_has_a_mebibyte_or_one_item() {
        let sizes = [PORTION, 1, PORTION - 1, 1, 5 * PORTION, 0, 0];
        let listed = sizes.iter().enumerate().map(|(key, bytes)| Listed { key, bytes: *bytes }).collect();
        assert_eq!(portions(listed), [vec![0], vec![1, 2], vec![3], vec![4], vec![5, 6]]);
    }
}
