//! A message to be sent: a step of a dispatch without what is ours in it.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Deserialised from a step as customers write it (spec 4.2), whose `failover` and other members
/// are left behind. Values are not checked: the provider does that. Its `Debug` shows the channel
/// alone.
#[derive(Clone, PartialEq, Deserialize)]
pub struct OutgoingMessage {
    pub from: Map<String, Value>,
    pub to: Map<String, Value>,
    /// `content` and the channel's options.
    pub message: Map<String, Value>,
}

impl OutgoingMessage {
    /// In the words of v0.1; empty when there is none.
    pub fn channel(&self) -> &str {
        self.to.get("type").and_then(Value::as_str).unwrap_or_default()
    }
}

impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage").field("channel", &self.channel()).finish_non_exhaustive()
    }
}
