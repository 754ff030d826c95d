//! What was sent, in memory: the newest messages, found by id and by the key of their request.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Messages kept; the oldest give way.
pub const OUTBOX_CAPACITY: usize = 10_000;

/// The two products of the platform; they share nothing but the shape of their URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    Sms,
    ChatApps,
}

/// A message that was accepted (or rejected with 200).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxMessage {
    pub umid: Uuid,
    pub product: Product,
    /// `sms`, `whatsapp`, …
    pub channel: String,
    pub sub_account_id: String,
    /// As it was sent: a number or a user id.
    pub destination: String,
    /// The text, if there is one.
    pub body: Option<String>,
    pub content: Value,
    /// The whole request body.
    pub request: Value,
    pub idempotency_key: Option<String>,
    pub client_message_id: Option<String>,
    /// `queued`, `rejected`, or what was reported since.
    pub status: String,
    pub sent_at: String,
    /// Requests for this message, refused ones included.
    pub attempts: u32,
    /// Requests for this message that were answered with 200. Above 1, a real platform would have
    /// sent it again.
    pub deliveries: u32,
    /// What the first request was answered, and every repeated one is.
    #[serde(skip)]
    pub answer: Value,
}

/// What makes two requests one: the subaccount and its idempotency key or client message id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) product: Product,
    pub(super) sub_account_id: String,
    pub(super) id: String,
}

#[derive(Default)]
pub(super) struct Outbox {
    /// Oldest first; the first one has number `first`.
    messages: VecDeque<Entry>,
    first: u64,
    number_by_umid: HashMap<Uuid, u64>,
    number_by_key: HashMap<RequestKey, u64>,
    refused: RefusedRequests,
}

struct Entry {
    message: OutboxMessage,
    key: Option<RequestKey>,
}

impl Outbox {
    /// The answer of the message that a request with this key made, with the repetition counted.
    pub(super) fn repeat(&mut self, key: &RequestKey) -> Option<Value> {
        let number = *self.number_by_key.get(key)?;
        let message = self.message_mut(number)?;
        message.attempts += 1;
        message.deliveries += 1;
        Some(message.answer.clone())
    }

    /// How often a request was refused that has made no message yet.
    pub(super) fn refusals(&self, attempts: &RequestKey) -> u32 {
        self.refused.counts.get(attempts).copied().unwrap_or_default()
    }

    /// Counts an attempt that is refused.
    pub(super) fn refuse(&mut self, attempts: &RequestKey) {
        self.refused.count(attempts);
    }

    /// Adds a message. `key` finds it when the request is repeated; attempts that were refused
    /// under `attempts` are added to its own.
    pub(super) fn add(&mut self, mut message: OutboxMessage, key: Option<RequestKey>, attempts: &RequestKey) {
        message.attempts += self.refused.forget(attempts);
        if self.messages.len() == OUTBOX_CAPACITY {
            self.drop_oldest();
        }
        let number = self.first + self.messages.len() as u64;
        self.number_by_umid.insert(message.umid, number);
        if let Some(key) = &key {
            self.number_by_key.insert(key.clone(), number);
        }
        self.messages.push_back(Entry { message, key });
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &OutboxMessage> {
        self.messages.iter().rev().map(|entry| &entry.message)
    }

    pub(super) fn find_mut(&mut self, umid: Uuid) -> Option<&mut OutboxMessage> {
        let number = *self.number_by_umid.get(&umid)?;
        self.message_mut(number)
    }

    /// Forgets everything, keys and refused attempts included.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn message_mut(&mut self, number: u64) -> Option<&mut OutboxMessage> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.messages.get_mut(index).map(|entry| &mut entry.message)
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.messages.pop_front() else { return };
        self.number_by_umid.remove(&oldest.message.umid);
        if let Some(key) = &oldest.key {
            self.number_by_key.remove(key);
        }
        self.first += 1;
    }
}

/// How often requests were refused that have made no message yet; bounded like the messages.
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
        if self.oldest_first.len() == OUTBOX_CAPACITY
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
    use serde_json::json;
    use uuid::Uuid;

    use super::{OUTBOX_CAPACITY, Outbox, OutboxMessage, Product, RequestKey};

    fn message(umid: u128) -> OutboxMessage {
        OutboxMessage {
            umid: Uuid::from_u128(umid),
            product: Product::Sms,
            channel: "sms".to_owned(),
            sub_account_id: "acme".to_owned(),
            destination: "+6590001111".to_owned(),
            body: None,
            content: json!({}),
            request: json!({}),
            idempotency_key: None,
            client_message_id: None,
            status: "queued".to_owned(),
            sent_at: String::new(),
            attempts: 1,
            deliveries: 1,
            answer: json!({"umid": umid.to_string()}),
        }
    }

    fn key(id: u128) -> RequestKey {
        RequestKey { product: Product::Sms, sub_account_id: "acme".to_owned(), id: id.to_string() }
    }

    #[test]
    fn only_the_newest_messages_are_kept_and_still_found() {
        let mut outbox = Outbox::default();
        let count = OUTBOX_CAPACITY as u128 + 3;
        for umid in 0..count {
            outbox.add(message(umid), Some(key(umid)), &key(umid));
        }
        assert_eq!(outbox.newest_first().count(), OUTBOX_CAPACITY);
        assert_eq!(outbox.newest_first().next().unwrap().umid, Uuid::from_u128(count - 1));
        assert!(outbox.find_mut(Uuid::from_u128(2)).is_none());
        assert_eq!(outbox.repeat(&key(2)), None);
        assert_eq!(outbox.find_mut(Uuid::from_u128(3)).unwrap().umid, Uuid::from_u128(3));
        assert_eq!(outbox.repeat(&key(3)), Some(json!({"umid": "3"})));
        assert_eq!(outbox.number_by_umid.len(), OUTBOX_CAPACITY);
        assert_eq!(outbox.number_by_key.len(), OUTBOX_CAPACITY);
    }

    #[test]
    fn refused_attempts_are_counted_into_the_message_and_bounded() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.refusals(&key(1)), 0);
        outbox.refuse(&key(1));
        outbox.refuse(&key(1));
        assert_eq!(outbox.refusals(&key(1)), 2);
        outbox.add(message(1), Some(key(1)), &key(1));
        assert_eq!(outbox.refusals(&key(1)), 0);
        assert_eq!(outbox.newest_first().next().unwrap().attempts, 3);
        for id in 0..OUTBOX_CAPACITY as u128 + 5 {
            outbox.refuse(&key(id));
        }
        assert_eq!(outbox.refused.counts.len(), OUTBOX_CAPACITY);
        assert_eq!(outbox.refused.oldest_first.len(), OUTBOX_CAPACITY);
    }
}
