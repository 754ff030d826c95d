//! How long an answer is waited for. A connection may die without a word: the database moves to another machine, or the
//! one between is started anew, and nothing that is sent comes back, not even a refusal.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::Error;

/// No request has a statement that takes as long on a database that works.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// What takes longer has an unknown fate.
pub(crate) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| {
        let why = format!("no answer within {} s", patience.as_secs());
        Err(Error::Io(io::Error::new(ErrorKind::TimedOut, why)))
    })
}

/// The same for each answer after the one before it.
pub(super) fn each_within<'e, T: Send + 'e>(
    patience: Duration,
    answers: BoxStream<'e, Result<T, Error>>,
) -> BoxStream<'e, Result<T, Error>> {
    stream::try_unfold(answers, move |mut answers| async move {
        let next = within(patience, answers.try_next()).await?;
        Ok(next.map(|answer| (answer, answers)))
    })
    .boxed()
}
