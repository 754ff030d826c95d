//! What hundreds of steps would ask the database for at the same moment: one of them asks, the others wait for its answer,
//! and it is remembered for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

/// What one try to ask may take. The connection may be dead without a word, and everybody waits for it: the next try has
/// another one, after the pool's five seconds and the two in which an idle one has to answer.
pub(crate) const TRY: Duration = Duration::from_secs(7);

/// Cheap to clone.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    capacity: usize,
    entries: Arc<Mutex<HashMap<K, Entry<V>>>>,
}

/// Empty while it is being asked for.
type Entry<V> = Arc<OnceCell<Answer<V>>>;

#[derive(Debug)]
struct Answer<V> {
    value: V,
    answered_at: Instant,
    trust: Duration,
}

impl<V> Answer<V> {
    fn is_trusted(&self) -> bool {
        self.answered_at.elapsed() < self.trust
    }
}

impl<K, V> Clone for Remembered<K, V> {
    fn clone(&self) -> Self {
        Self { capacity: self.capacity, entries: self.entries.clone() }
    }
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Of more keys than `capacity` those are forgotten that are not trusted any more, or else all.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Arc::default() }
    }

    /// `ask` answers a value, and how long it may be trusted. An error is for who asked: the next of those who wait asks
    /// again, and so it does when who asked is dropped.
    pub(crate) async fn get<E>(
        &self,
        key: K,
        ask: impl AsyncFnOnce() -> Result<(V, Duration), E>,
    ) -> Result<V, E> {
        let entry = self.entry(key);
        let ask = || async {
            // Boxed, because hardly any step asks.
            let (value, trust) = Box::pin(ask()).await?;
            Ok(Answer { value, answered_at: Instant::now(), trust })
        };
        Ok(entry.get_or_try_init(ask).await?.value.clone())
    }

    fn entry(&self, key: K) -> Entry<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&key)
            && entry.get().is_none_or(Answer::is_trusted)
        {
            return entry.clone();
        }
        if entries.len() >= self.capacity {
            entries.retain(|_, entry| entry.get().map_or(Arc::strong_count(entry) > 1, Answer::is_trusted));
        }
        if entries.len() >= self.capacity {
            entries.clear();
        }
        let entry = Entry::default();
        entries.insert(key, entry.clone());
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn one_asks_while_the_others_wait_and_after_an_error_the_next_one_does() {
        let remembered = Remembered::new(10);
        let asked = AtomicU32::new(0);
        let get = || {
            remembered.get("key", async || {
                tokio::task::yield_now().await;
                match asked.fetch_add(1, Ordering::Relaxed) {
                    0 => Err("no answer"),
                    n => Ok((n, LONG)),
                }
            })
        };
        let answers = join_all((0..100).map(|_| get())).await;
        assert_eq!(answers.iter().filter(|answer| **answer == Err("no answer")).count(), 1);
        assert_eq!(answers.iter().filter(|answer| **answer == Ok(1)).count(), 99);
        assert_eq!(get().await, Ok(1));
        assert_eq!(asked.into_inner(), 2);
    }

    #[tokio::test]
    async fn who_is_dropped_while_asking_leaves_it_to_the_next() {
        let remembered = Remembered::new(10);
        let never = remembered.get("key", std::future::pending::<Result<(u32, Duration), ()>>);
        let next = remembered.get("key", async || Ok::<_, ()>((7, LONG)));
        tokio::pin!(next);
        tokio::select! {
            biased;
            _ = never => unreachable!("it is never answered"),
            _ = &mut next => unreachable!("it waits for who asked first"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(next.await, Ok(7));
    }

    #[tokio::test]
    async fn what_is_no_longer_trusted_is_asked_for_again_and_room_is_limited() {
        let remembered = Remembered::new(2);
        let get = async |key, value, trust| {
            remembered.get(key, async || Ok::<_, ()>((value, trust))).await.unwrap()
        };
        assert_eq!(get("a", 1, Duration::ZERO).await, 1);
        assert_eq!(get("a", 2, LONG).await, 2);
        assert_eq!(get("a", 3, LONG).await, 2);
        assert_eq!(get("b", 4, Duration::ZERO).await, 4);
        assert_eq!(get("b", 4, LONG).await, 4, "what is not trusted made room");
        assert_eq!(get("a", 5, LONG).await, 2);
        assert_eq!(get("c", 6, LONG).await, 6);
        assert_eq!(get("a", 7, LONG).await, 7);
    }
}
