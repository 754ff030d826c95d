//! A message as a worker hands it in, after it was found to be in order.

use serde_json::Value;

use super::outbox::Product;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Submission {
    pub(super) product: Product,
    pub(super) channel: String,
    pub(super) destination: String,
    pub(super) body: Option<String>,
    pub(super) content: Value,
    pub(super) client_message_id: Option<String>,
}
