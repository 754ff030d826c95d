//! What concurrent callers ask for one by one and PostgreSQL does in groups: while one group is under way the next one
//! gathers, so an idle server has groups of one at once, and a busy one pays for a round trip (or a commit) per
//! group, not per caller.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// Callers of one group at most: beyond this a round trip costs little compared with what it is for.
const GROUP: usize = 256;
/// Bytes of one group, more or less.
const GROUP_BYTES: usize = 8 << 20;
/// Callers who may wait for their group before others are held back.
const QUEUE: usize = 512;

/// Cheap to clone.
#[derive(Debug)]
pub(crate) struct Grouped<Q, A> {
    requests: mpsc::Sender<Request<Q, A>>,
}

#[derive(Debug)]
struct Request<Q, A> {
    question: Q,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<Q, A> Clone for Grouped<Q, A> {
    fn clone(&self) -> Self {
        Self { requests: self.requests.clone() }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Grouped<Q, A> {
    /// `carry_out` gives an answer to each question, in their order. A group that takes longer than `limit` has an
    /// unknown fate, and the next one its turn: a connection may be dead without a word.
    pub(crate) fn new<F>(
        limit: Duration,
        bytes: fn(&Q) -> usize,
        carry_out: impl Fn(Vec<Q>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send,
    {
        let (requests, mut queue) = mpsc::channel::<Request<Q, A>>(QUEUE);
        tokio::spawn(async move {
            let mut gathered = Vec::new();
            while queue.recv_many(&mut gathered, GROUP).await > 0 {
                let mut waiting = gathered.drain(..).peekable();
                while waiting.peek().is_some() {
                    let (mut questions, mut callers, mut size) = (Vec::new(), Vec::new(), 0);
                    while let Some(request) = waiting.next_if(|_| size < GROUP_BYTES) {
                        size += bytes(&request.question);
                        questions.push(request.question);
                        callers.push(request.answer);
                    }
                    let done = tokio::time::timeout(limit, carry_out(questions)).await;
                    // A caller that went away has what it asked for, and does not hear of it.
                    match done.unwrap_or(Err(StoreError::NoAnswer)) {
                        Ok(answers) => {
                            for (caller, answer) in callers.into_iter().zip(answers) {
                                let _ = caller.send(Ok(answer));
                            }
                        }
                        Err(error) => {
                            let error = Arc::new(error);
                            for caller in callers {
                                let _ = caller.send(Err(StoreError::Shared(error.clone())));
                            }
                        }
                    }
                }
            }
        });
        Self { requests }
    }

    pub(crate) async fn ask(&self, question: Q) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        let closed = || StoreError::from(sqlx::Error::PoolClosed);
        self.requests.send(Request { question, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    type Groups = Arc<Mutex<Vec<Vec<usize>>>>;

    /// Doubles what it is asked, a group per permit, and writes down the groups.
    fn doubling(limit: Duration) -> (Grouped<usize, usize>, Arc<Semaphore>, Groups) {
        let (permits, groups) = (Arc::new(Semaphore::new(0)), Groups::default());
        let (gate, seen) = (permits.clone(), groups.clone());
        let grouped = Grouped::new(
            limit,
            |&bytes| bytes,
            move |group| {
                let (gate, seen) = (gate.clone(), seen.clone());
                async move {
                    seen.lock().unwrap().push(group.clone());
                    gate.acquire().await.unwrap().forget();
                    if group.contains(&13) {
                        return Err(sqlx::Error::RowNotFound.into());
                    }
                    Ok(group.iter().map(|one| 2 * one).collect())
                }
            },
        );
        (grouped, permits, groups)
    }

    #[tokio::test]
    async fn whoever_comes_while_a_group_is_under_way_is_in_the_next_one() {
        let (grouped, permits, groups) = doubling(LIMIT);
        let mut first = Box::pin(grouped.ask(1));
        while groups.lock().unwrap().is_empty() {
            assert!(futures::poll!(&mut first).is_pending());
            tokio::task::yield_now().await;
        }
        let mut others = Box::pin(join_all((2..=5).map(|n| grouped.ask(n))));
        assert!(futures::poll!(&mut others).is_pending());
        permits.add_permits(2);
        assert_eq!(first.await.unwrap(), 2);
        let answers: Vec<usize> = others.await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [4, 6, 8, 10]);
        assert_eq!(*groups.lock().unwrap(), [vec![1], vec![2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_group_is_cut_where_its_bytes_are_enough() {
        let (grouped, permits, groups) = doubling(LIMIT);
        permits.add_permits(2);
        let sizes = [1, GROUP_BYTES, 2];
        let answers = join_all(sizes.map(|size| grouped.ask(size))).await;
        assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), sizes.map(|size| 2 * size));
        assert_eq!(*groups.lock().unwrap(), [vec![1, GROUP_BYTES], vec![2]]);
    }

    #[tokio::test]
    async fn an_error_is_everybodys_in_the_group_and_nobody_elses() {
        let (grouped, permits, _) = doubling(LIMIT);
        permits.add_permits(2);
        let answers = join_all([12, 13].map(|n| grouped.ask(n))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Shared(_)))), "{answers:?}");
        assert_eq!(grouped.ask(1).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_group_that_is_never_done_does_not_hold_the_next_one_up() {
        let (grouped, permits, _) = doubling(Duration::ZERO);
        let answer = grouped.ask(1).await;
        assert!(answer.as_ref().is_err_and(StoreError::is_unavailable), "{answer:?}");
        permits.add_permits(1);
        assert_eq!(grouped.ask(2).await.unwrap(), 4);
    }
}
