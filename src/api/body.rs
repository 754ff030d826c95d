//! Request bodies: JSON of at most 1 MiB (U-06, U-56); a batch may name its instances in 4.

use std::time::{Duration, Instant};

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use futures::StreamExt;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};
use trunkline_connectors::lenient_json;
use trunkline_workflow::context::{MAX_DEPTH, depth, memory};
use trunkline_workflow::strict_json::{self, Malformed};

use super::error::ApiError;

const MAX_BYTES: usize = 1 << 20;
const LONG_BYTES: usize = 4 << 20;
/// How long a body may take to arrive.
const TIME: Duration = Duration::from_secs(30);

/// KiB of memory that all large bodies of a process together may take once they are read, and bytes that are not large:
/// a MiB can be a hundred in memory, and whoever has a key may send a thousand at once.
const ROOM: u32 = 256 << 10;
const SMALL_BYTES: usize = 16 << 10;
static LEFT: Semaphore = Semaphore::const_new(ROOM as usize);
/// Large bodies that may wait for it.
static WAITING: Semaphore = Semaphore::const_new(128);

/// What is read of the rest of a body that is too large, and how long: a client that is still sending when
/// the connection is closed may never see the answer.
const DISCARDED_BYTES: usize = 8 << 20;
const DISCARDING_TIME: Duration = Duration::from_secs(2);

/// A body as it came. May be empty.
pub struct Body(pub Vec<u8>, pub Room);

/// For what a large body says, as long as this is there.
pub struct Room(#[expect(dead_code, reason = "held, never looked at")] Option<SemaphorePermit<'static>>);

/// One that may have 4 MiB.
pub struct LongBody(pub Body);

impl Room {
    /// For so many bytes that stand in for what the body said, which is no longer there.
    pub async fn exchanged_for(self, bytes: usize) -> Result<Self, ApiError> {
        drop(self);
        take_room(bytes, TIME).await
    }
}

impl Body {
    /// Any JSON that a context can hold.
    pub fn json(&self) -> Result<Value, ApiError> {
        Ok(strict_json::read(&self.0)?)
    }

    pub fn json_object(&self) -> Result<Map<String, Value>, ApiError> {
        Ok(strict_json::read_object(&self.0)?)
    }

    /// What the platform sends, which repeats what is refused for hours and then drops it. Half a character is
    /// no reason for that.
    pub fn webhook_json(&self) -> Result<Value, ApiError> {
        let body = lenient_json(&self.0).map_err(|error| Malformed::at_place(&self.0, &error))?;
        if depth(&body) >= MAX_DEPTH { Err(Malformed::too_deep().into()) } else { Ok(body) }
    }

    /// No body at all, or blanks.
    pub fn is_absent(&self) -> bool {
        is_blank(&self.0)
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.trim_ascii().is_empty()
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_json(request, MAX_BYTES).await
    }
}

impl<S: Sync> FromRequest<S> for LongBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_json(request, LONG_BYTES).await.map(Self)
    }
}

async fn read_json(request: Request, most: usize) -> Result<Body, ApiError> {
    let is_json = is_json_or_unnamed(request.headers());
    let begun = Instant::now();
    let bytes = read(request, TIME, most).await;
    let has_content = match &bytes {
        Ok(bytes) => !is_blank(bytes),
        Err(error) => matches!(error, ApiError::BodyTooLarge { .. }),
    };
    // Clients name a type of their own liking for a body that is empty.
    if has_content && !is_json {
        return Err(ApiError::UnsupportedContentType);
    }
    let bytes = bytes?;
    let needed = if bytes.len() <= SMALL_BYTES { 0 } else { memory(&bytes) };
    let room = take_room(needed, TIME.saturating_sub(begun.elapsed())).await?;
    Ok(Body(bytes, room))
}

async fn read(request: Request, time: Duration, most: usize) -> Result<Vec<u8>, ApiError> {
    let too_large = || ApiError::BodyTooLarge { mebibytes: most >> 20 };
    let announced = announced_length(request.headers());
    let is_too_large = announced.is_some_and(|length| length > most);
    if is_too_large && waits_for_consent(request.headers()) {
        return Err(too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut bytes = Vec::with_capacity(if is_too_large { 0 } else { announced.unwrap_or_default() });
    let reading = async {
        if is_too_large {
            return Err(too_large());
        }
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Malformed::whole("it ends too early"))?;
            if bytes.len() + chunk.len() > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let read = tokio::time::timeout(time, reading).await.unwrap_or(Err(ApiError::BodyTooSlow));
    if matches!(read, Err(ApiError::BodyTooLarge { .. })) {
        discard(chunks).await;
    }
    read.map(|()| bytes)
}

async fn take_room(bytes: usize, time: Duration) -> Result<Room, ApiError> {
    if bytes <= SMALL_BYTES {
        return Ok(Room(None));
    }
    let _waiting = WAITING.try_acquire().map_err(|_| ApiError::Crowded)?;
    let kibibytes = u32::try_from(bytes / 1024).map_or(ROOM, |kibibytes| kibibytes.min(ROOM));
    match tokio::time::timeout(time, LEFT.acquire_many(kibibytes)).await {
        Ok(room) => Ok(Room(Some(room.expect("it is never closed")))),
        Err(_) => Err(ApiError::Crowded),
    }
}

async fn discard(mut chunks: axum::body::BodyDataStream) {
    let discarding = async {
        let mut left = DISCARDED_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await {
            let Some(less) = left.checked_sub(chunk.len()) else { break };
            left = less;
        }
    };
    // Whatever is still coming, the answer goes out now.
    let _unread = tokio::time::timeout(DISCARDING_TIME, discarding).await;
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The client sends nothing before it is told to.
fn waits_for_consent(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// `application/json` with any parameters; a missing type is let pass.
pub(super) fn is_json_or_unnamed(headers: &HeaderMap) -> bool {
    let Some(header) = headers.get(CONTENT_TYPE) else { return true };
    let media_type = header.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

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

    fn request(chunks: impl futures::Stream<Item = Vec<u8>> + Send + 'static) -> Request {
        let body = axum::body::Body::from_stream(chunks.map(Ok::<_, std::io::Error>));
        Request::new(body)
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let stuck = futures::stream::iter([b"{".to_vec()]).chain(futures::stream::pending());
        let read = read(request(stuck), Duration::from_millis(10), MAX_BYTES).await;
        assert!(matches!(read, Err(ApiError::BodyTooSlow)));
    }

    #[tokio::test]
    async fn a_large_body_waits_for_room_and_then_may_come_again() {
        let all = LEFT.acquire_many(ROOM).await.unwrap();
        assert!(take_room(SMALL_BYTES, Duration::ZERO).await.is_ok(), "a small one needs none");
        let refused =
            take_room(SMALL_BYTES + 1, Duration::from_millis(10)).await.err().unwrap().into_response();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        drop(all);
        let whole =
            read_json(request(futures::stream::iter([vec![b'['; MAX_BYTES]])), MAX_BYTES).await.unwrap();
        let left = LEFT.available_permits();
        assert!(left < ROOM as usize / 2, "what it may need in memory, not its bytes");
        let copies = whole.1.exchanged_for(2 * MAX_BYTES).await.unwrap();
        assert_eq!(LEFT.available_permits(), ROOM as usize - 2 * MAX_BYTES / 1024);
        let _more = copies.exchanged_for(ROOM as usize * 2048).await.unwrap();
        assert_eq!(LEFT.available_permits(), 0, "what may need more than there is has it for itself");
    }

    #[tokio::test]
    async fn of_a_body_that_is_too_large_the_rest_is_taken_within_limits() {
        let counted = |chunks: usize| {
            let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let counter = taken.clone();
            let stream = futures::stream::iter(0..chunks).map(move |_| {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                vec![b' '; MAX_BYTES]
            });
            (request(stream), taken)
        };
        for (chunks, expected) in [(3, 3), (1000, 11)] {
            let (request, taken) = counted(chunks);
            assert!(matches!(read(request, TIME, MAX_BYTES).await, Err(ApiError::BodyTooLarge { .. })));
            assert_eq!(taken.load(std::sync::atomic::Ordering::Relaxed), expected);
        }
        let (mut asking, taken) = counted(3);
        asking.headers_mut().insert(CONTENT_LENGTH, (3 * MAX_BYTES).into());
        asking.headers_mut().insert(EXPECT, "100-Continue".parse().unwrap());
        assert!(matches!(read(asking, TIME, MAX_BYTES).await, Err(ApiError::BodyTooLarge { .. })));
        assert_eq!(taken.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}
