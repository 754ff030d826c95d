//! What was handed in, in memory: the newest entries, found by id and by the key of their request.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;
use uuid::Uuid;

use super::outbox::Product;
use super::provoke_failure::{Fault, Provoked};

/// Entries kept of each kind; the oldest give way.
pub const CAPACITY: usize = 10_000;

/// A message or a call that was accepted (or rejected with 200).
pub(super) trait Entry {
    fn id(&self) -> Uuid;
    /// What the first request was answered, and every repeated one is.
    fn answer(&self) -> &Value;
    /// Requests for it, refused ones included.
    fn attempts(&mut self) -> &mut u32;
    /// Requests for it that were answered with 200.
    fn deliveries(&mut self) -> &mut u32;
}

/// What a request is for. Keys of one endpoint mean nothing to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Endpoint {
    Sms,
    ChatApps,
    Messages,
    Callflows,
    Calls,
}

impl From<Product> for Endpoint {
    fn from(product: Product) -> Self {
        match product {
            Product::Sms => Self::Sms,
            Product::ChatApps => Self::ChatApps,
            Product::Messages => Self::Messages,
        }
    }
}

/// What makes two requests one: the subaccount and its idempotency key or client message id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) endpoint: Endpoint,
    pub(super) sub_account_id: String,
    pub(super) id: String,
}

/// What becomes of a request that is in order.
#[derive(Debug, PartialEq)]
pub(super) enum Reception {
    /// It came before and was answered this.
    Repeated(Value),
    Refused(Fault),
    /// It is answered with 200, and nothing is sent.
    Rejected,
    Accepted,
}

pub(super) struct Memory<T> {
    /// Oldest first; the first one has number `first`.
    entries: VecDeque<Kept<T>>,
    first: u64,
    number_by_id: HashMap<Uuid, u64>,
    number_by_key: HashMap<RequestKey, u64>,
    refused: RefusedRequests,
}

struct Kept<T> {
    entry: T,
    key: Option<RequestKey>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            number_by_id: HashMap::new(),
            number_by_key: HashMap::new(),
            refused: RefusedRequests::default(),
        }
    }
}

impl<T: Entry> Memory<T> {
    /// Looks whether the request came before and what its destination provokes. Refused attempts are
    /// counted under `attempts`.
    pub(super) fn receive(
        &mut self,
        key: Option<&RequestKey>,
        attempts: &RequestKey,
        provoked: Option<Provoked>,
    ) -> Reception {
        if let Some(answer) = key.and_then(|key| self.repeat(key)) {
            return Reception::Repeated(answer);
        }
        match provoked {
            None => Reception::Accepted,
            Some(Provoked::Rejected) => Reception::Rejected,
            Some(Provoked::Refused(Fault::TooManyRequests)) if self.refusals(attempts) > 0 => {
                Reception::Accepted
            }
            Some(Provoked::Refused(fault)) => {
                self.refused.count(attempts);
                Reception::Refused(fault)
            }
        }
    }

    /// The answer of the entry that a request with this key made, with the repetition counted.
    fn repeat(&mut self, key: &RequestKey) -> Option<Value> {
        let number = *self.number_by_key.get(key)?;
        let entry = self.entry_mut(number)?;
        *entry.attempts() += 1;
        *entry.deliveries() += 1;
        Some(entry.answer().clone())
    }

    /// How often a request was refused that has made no entry yet.
    fn refusals(&self, attempts: &RequestKey) -> u32 {
        self.refused.counts.get(attempts).copied().unwrap_or_default()
    }

    /// Adds an entry. `key` finds it when the request is repeated; attempts that were refused under
    /// `attempts` are added to its own.
    pub(super) fn add(&mut self, mut entry: T, key: Option<RequestKey>, attempts: &RequestKey) {
        *entry.attempts() += self.refused.forget(attempts);
        if self.entries.len() == CAPACITY {
            self.drop_oldest();
        }
        let number = self.first + self.entries.len() as u64;
        self.number_by_id.insert(entry.id(), number);
        if let Some(key) = &key {
            self.number_by_key.insert(key.clone(), number);
        }
        self.entries.push_back(Kept { entry, key });
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().rev().map(|kept| &kept.entry)
    }

    pub(super) fn find(&self, id: Uuid) -> Option<&T> {
        let number = *self.number_by_id.get(&id)?;
        self.entries.get(self.index(number)?).map(|kept| &kept.entry)
    }

    pub(super) fn find_mut(&mut self, id: Uuid) -> Option<&mut T> {
        let number = *self.number_by_id.get(&id)?;
        self.entry_mut(number)
    }

    /// Forgets everything, keys and refused attempts included.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }

    fn entry_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index(number)?;
        self.entries.get_mut(index).map(|kept| &mut kept.entry)
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else { return };
        self.number_by_id.remove(&oldest.entry.id());
        if let Some(key) = &oldest.key {
            self.number_by_key.remove(key);
        }
        self.first += 1;
    }
}

/// How often requests were refused that have made no entry yet; bounded like the entries.
#[derive(Default)]
struct RefusedRequests {
    counts: HashMap<RequestKey, u32>,
    oldest_first: VecDeque<RequestKey>,
}

impl RefusedRequests {
    fn count(&mut self, key: &RequestKey) {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
            return;
        }
        if self.oldest_first.len() == CAPACITY
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.counts.remove(&oldest);
        }
        self.oldest_first.push_back(key.clone());
        self.counts.insert(key.clone(), 1);
    }

    fn forget(&mut self, key: &RequestKey) -> u32 {
        let Some(count) = self.counts.remove(key) else { return 0 };
        self.oldest_first.retain(|other| other != key);
        count
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{CAPACITY, Endpoint, Entry, Memory, Reception, RequestKey};
    use crate::sandbox::provoke_failure::{Fault, Provoked};

    struct Note {
        id: Uuid,
        answer: Value,
        attempts: u32,
        deliveries: u32,
    }

    impl Entry for Note {
        fn id(&self) -> Uuid {
            self.id
        }

        fn answer(&self) -> &Value {
            &self.answer
        }

        fn attempts(&mut self) -> &mut u32 {
            &mut self.attempts
        }

        fn deliveries(&mut self) -> &mut u32 {
            &mut self.deliveries
        }
    }

    fn note(id: u128) -> Note {
        Note { id: Uuid::from_u128(id), answer: json!(id.to_string()), attempts: 1, deliveries: 1 }
    }

    fn key(id: u128) -> RequestKey {
        RequestKey { endpoint: Endpoint::Sms, sub_account_id: "acme".to_owned(), id: id.to_string() }
    }

    #[test]
    fn only_the_newest_entries_are_kept_and_still_found() {
        let mut memory = Memory::default();
        let count = CAPACITY as u128 + 3;
        for id in 0..count {
            memory.add(note(id), Some(key(id)), &key(id));
        }
        assert_eq!(memory.newest_first().count(), CAPACITY);
        assert_eq!(memory.newest_first().next().unwrap().id, Uuid::from_u128(count - 1));
        assert!(memory.find(Uuid::from_u128(2)).is_none());
        assert_eq!(memory.receive(Some(&key(2)), &key(2), None), Reception::Accepted);
        assert_eq!(memory.find(Uuid::from_u128(3)).unwrap().id, Uuid::from_u128(3));
        assert_eq!(memory.find_mut(Uuid::from_u128(3)).unwrap().id, Uuid::from_u128(3));
        assert_eq!(memory.receive(Some(&key(3)), &key(3), None), Reception::Repeated(json!("3")));
        assert_eq!(memory.number_by_id.len(), CAPACITY);
        assert_eq!(memory.number_by_key.len(), CAPACITY);
    }

    #[test]
    fn refused_attempts_are_counted_into_the_entry_and_bounded() {
        let mut memory = Memory::default();
        let fault = Fault::InternalError;
        for _ in 0..2 {
            let reception = memory.receive(Some(&key(1)), &key(1), Some(Provoked::Refused(fault)));
            assert_eq!(reception, Reception::Refused(fault));
        }
        assert_eq!(memory.refusals(&key(1)), 2);
        memory.add(note(1), Some(key(1)), &key(1));
        assert_eq!(memory.refusals(&key(1)), 0);
        assert_eq!(memory.newest_first().next().unwrap().attempts, 3);
        for id in 0..CAPACITY as u128 + 5 {
            memory.receive(None, &key(id), Some(Provoked::Refused(fault)));
        }
        assert_eq!(memory.refused.counts.len(), CAPACITY);
        assert_eq!(memory.refused.oldest_first.len(), CAPACITY);
    }

    #[test]
    fn too_many_requests_are_too_many_once() {
        let mut memory: Memory<Note> = Memory::default();
        let provoked = Some(Provoked::Refused(Fault::TooManyRequests));
        let refused = Reception::Refused(Fault::TooManyRequests);
        assert_eq!(memory.receive(None, &key(1), provoked), refused);
        assert_eq!(memory.receive(None, &key(1), provoked), Reception::Accepted);
        assert_eq!(memory.receive(None, &key(2), provoked), refused);
        assert_eq!(memory.receive(None, &key(3), Some(Provoked::Rejected)), Reception::Rejected);
    }
}
