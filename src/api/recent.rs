//! Answers of the database that are believed for a moment, so that a burst of requests does not ask the
//! same thing thousands of times. So long what is gone may still be found, and what is new may not be.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) struct Recent<K, V> {
    lifetime: Duration,
    capacity: usize,
    entries: Mutex<HashMap<K, (V, Instant)>>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, entries: Mutex::default() }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.get_at(key, Instant::now())
    }

    pub(super) fn put(&self, key: K, value: V) {
        self.put_at(key, value, Instant::now());
    }

    fn get_at(&self, key: &K, now: Instant) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, until) = entries.get(key)?;
        (now < *until).then(|| value.clone())
    }

    fn put_at(&self, key: K, value: V, now: Instant) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.capacity {
            entries.retain(|_, (_, until)| now < *until);
        }
        // Still full: more callers than we remember. The next ones ask the database again.
        if entries.len() < self.capacity {
            entries.insert(key, (value, now + self.lifetime));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_forgotten_after_its_lifetime_and_room_is_limited() {
        let recent = Recent::new(Duration::from_secs(3), 2);
        let start = Instant::now();
        let later = start + Duration::from_secs(3);
        recent.put_at("a", 1, start);
        recent.put_at("b", 2, start);
        recent.put_at("c", 3, start);
        assert_eq!((recent.get_at(&"a", start), recent.get_at(&"c", start)), (Some(1), None));
        assert_eq!(recent.get_at(&"a", later), None);
        recent.put_at("c", 3, later);
        assert_eq!(recent.get_at(&"c", later), Some(3));
    }
}
