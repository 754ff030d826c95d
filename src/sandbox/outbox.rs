//! The messages that were sent.

use serde::Serialize;
use serde_json::Value;
use trunkline_connectors::messages_api::Version;
use uuid::Uuid;

use super::memory::{Entry, Memory};

pub(super) type Outbox = Memory<OutboxMessage>;

/// What sends messages: two products of the one platform, which share nothing but the shape of their URLs, and the
/// Messages API of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    Sms,
    ChatApps,
    Messages,
}

/// A message that was accepted (or rejected with 200). The id of one of the Messages API is its `message_uuid`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxMessage {
    pub umid: Uuid,
    pub product: Product,
    /// The generation of the Messages API that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// `sms`, `whatsapp`, …; of the Messages API in the words of v0.1.
    pub channel: String,
    /// `None`: the Messages API has none.
    pub sub_account_id: Option<String>,
    /// As it was sent: a number or a user id.
    pub destination: String,
    /// The text, if there is one.
    pub body: Option<String>,
    pub content: Value,
    /// The whole request body.
    pub request: Value,
    pub idempotency_key: Option<String>,
    pub client_message_id: Option<String>,
    /// The Messages API's, which makes no two requests one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    /// `queued`, `rejected`, or what was reported since.
    pub status: String,
    pub sent_at: String,
    /// Requests for this message, refused ones included.
    pub attempts: u32,
    /// Requests for this message that were answered with 200. Above 1, a real platform would have
    /// sent it again. Of the Messages API the messages so far under this `clientRef`, each of them an
    /// entry: above 1, it was sent again.
    pub deliveries: u32,
    /// What the first request was answered, and every repeated one is.
    #[serde(skip)]
    pub answer: Value,
    /// The status as receipts write it.
    #[serde(skip)]
    pub last_status: Value,
}

impl Entry for OutboxMessage {
    fn id(&self) -> Uuid {
        self.umid
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
