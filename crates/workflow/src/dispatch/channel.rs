//! The channels, and where an address stands on each (Dispatch 4.3).

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Sms,
    Mms,
    Whatsapp,
    ViberServiceMsg,
    Messenger,
}

/// Of a message: who sends it, or who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

impl Channel {
    pub const ALL: [Self; 5] = [Self::Sms, Self::Mms, Self::Whatsapp, Self::ViberServiceMsg, Self::Messenger];

    /// As in `from.type`, and as the object with the channel's options is called.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mms => "mms",
            Self::Whatsapp => "whatsapp",
            Self::ViberServiceMsg => "viber_service_msg",
            Self::Messenger => "messenger",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }

    /// Whether it ever says that a message was read. Viber stopped and may start again (C5).
    pub fn reports_reads(self) -> bool {
        !matches!(self, Self::Sms | Self::Mms)
    }
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }

    /// The member of `from` or `to` that has the address. Recipients on Viber may stand in `id` when there is
    /// no `number`.
    pub(super) fn address_member(self, channel: Channel, party: &Value) -> &'static str {
        let has = |name: &str| party.get(name).is_some_and(|value| !value.is_null());
        match (channel, self) {
            (Channel::Messenger, _) | (Channel::ViberServiceMsg, Self::From) => "id",
            (Channel::ViberServiceMsg, Self::To) if has("id") && !has("number") => "id",
            _ => "number",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_spelled_the_same_everywhere() {
        for channel in Channel::ALL {
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
        }
        assert_eq!(Channel::parse("SMS"), None);
    }
}
