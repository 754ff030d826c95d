//! What was asked for, as it is kept with the instance.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::channel::{Channel, Side};
use super::check_content::flatten_parameters;
use super::check_message::Checked;
use super::check_party::quote_address;
use super::status::Condition;

/// Messages of which the next one is sent if one does not get through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// There is only `failover`.
    pub template: String,
    #[serde(rename = "workflow")]
    pub messages: Vec<Message>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub channel: Channel,
    /// As the client wrote it, with the address as a text.
    pub from: Value,
    /// As the client wrote it, with the address as a text.
    pub to: Value,
    /// As the client wrote it, with the parameters of a template as texts.
    pub message: Value,
    /// The client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<String>,
    /// Nothing in the last message, and in one that is sent alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Failover>,
    /// Members that mean nothing to us. They are the provider's to ignore.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub others: Map<String, Value>,
}

/// When the next message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// In seconds, from the start of the step.
    pub expiry: u32,
    /// What ends the workflow if it is reached before.
    pub condition: Condition,
}

impl Message {
    /// Of members that were checked.
    pub(super) fn new(mut step: Map<String, Value>, checked: Checked) -> Self {
        let mut take = |name| step.shift_remove(name).unwrap_or_default();
        let Checked { channel, client_ref, failover } = checked;
        let (mut from, mut to, mut message) = (take("from"), take("to"), take("message"));
        for known_already in ["client_ref", "failover"] {
            take(known_already);
        }
        quote_address(&mut from, channel, Side::From);
        quote_address(&mut to, channel, Side::To);
        flatten_parameters(&mut message);
        Self { channel, from, to, message, client_ref, failover, others: step }
    }

    /// The address that it is sent from.
    pub fn sender(&self) -> &str {
        address(&self.from, self.channel, Side::From)
    }

    /// The address that it is sent to.
    pub fn recipient(&self) -> &str {
        address(&self.to, self.channel, Side::To)
    }

    /// What has to be reached; by the last message, that it is delivered (U10).
    pub fn condition(&self) -> Condition {
        self.failover.map_or(Condition::Delivered, |failover| failover.condition)
    }
}

/// Empty only in what was never parsed.
fn address(party: &Value, channel: Channel, side: Side) -> &str {
    party.get(side.address_member(channel, party)).and_then(Value::as_str).unwrap_or_default()
}
