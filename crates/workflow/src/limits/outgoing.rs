//! A message that is about to be sent, as far as limits care; and the rates that it comes under.

use serde::{Deserialize, Serialize};

use super::settings::{Rate, Settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Sms,
    /// Chat apps of every kind.
    Chat,
    Voice,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub channel: Channel,
    /// Whatever names who sends it: the subaccount, the number or name.
    pub senders: Vec<String>,
    /// The number, or what else names who gets it.
    pub recipient: Option<String>,
}

/// Whose messages a rate counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    Account,
    Sender(String),
    /// As [`Outgoing::recipient_name`] has it.
    Recipient(String),
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::Sms, Self::Chat, Self::Voice];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Chat => "chat",
            Self::Voice => "voice",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

impl Outgoing {
    /// One name for every spelling of a number.
    pub fn recipient_name(&self) -> Option<String> {
        let recipient = self.recipient.as_deref()?.trim();
        let digits: String = recipient.chars().filter(char::is_ascii_digit).collect();
        let is_number =
            !digits.is_empty() && recipient.chars().all(|c| c.is_ascii_digit() || "+-() .".contains(c));
        let name = if is_number { digits.trim_start_matches("00").to_owned() } else { recipient.to_owned() };
        (!name.is_empty()).then_some(name)
    }

    /// The narrowest first.
    pub fn rates(&self, settings: &Settings) -> Vec<(Party, Rate)> {
        let recipient = self.recipient_name().map(Party::Recipient);
        let to_recipient =
            recipient.iter().flat_map(|party| settings.recipients.iter().map(|rate| (party.clone(), *rate)));
        let is_sender = |name: &str| self.senders.iter().any(|sender| same_sender(sender, name));
        let by_sender =
            settings.senders.iter().filter(|limit| is_sender(&limit.sender)).flat_map(|limit| {
                limit.rates.iter().map(|rate| (Party::Sender(limit.sender.clone()), *rate))
            });
        let of_account = settings.rates.iter().map(|rate| (Party::Account, *rate));
        to_recipient.chain(by_sender).chain(of_account).collect()
    }
}

/// Subaccounts and names by their spelling in any letter case; numbers with or without a plus.
fn same_sender(one: &str, other: &str) -> bool {
    bare_sender(one) == bare_sender(other)
}

pub(super) fn bare_sender(name: &str) -> String {
    name.trim().trim_start_matches('+').to_ascii_lowercase()
}

impl Party {
    pub fn limit(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Sender(_) => "sender",
            Self::Recipient(_) => "recipient",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Period, SenderLimit};

    fn send(senders: &[&str], recipient: &str) -> Outgoing {
        let senders = senders.iter().map(|sender| (*sender).to_owned()).collect();
        Outgoing { channel: Channel::Sms, senders, recipient: Some(recipient.to_owned()) }
    }

    #[test]
    fn a_number_has_one_name_however_it_is_spelled() {
        for spelling in ["+65 9000-1111", "6590001111", "(65) 90001111", "006590001111"] {
            assert_eq!(send(&[], spelling).recipient_name().as_deref(), Some("6590001111"), "{spelling}");
        }
        assert_eq!(send(&[], "SG.9081").recipient_name().as_deref(), Some("SG.9081"));
        assert_eq!(send(&[], "  ").recipient_name(), None);
    }

    #[test]
    fn a_message_comes_under_the_rates_of_its_recipient_its_senders_and_the_account() {
        let rate = |messages| Rate { messages, per: Period::Minute };
        let sender =
            |name: &str, messages| SenderLimit { sender: name.to_owned(), rates: vec![rate(messages)] };
        let settings = Settings {
            rates: vec![rate(1), rate(2)],
            senders: vec![sender("Acme_SMS", 3), sender("+6580002222", 4), sender("other", 5)],
            recipients: vec![rate(6)],
            ..Settings::default()
        };
        let rates = send(&["acme_sms", "6580002222"], "+1").rates(&settings);
        let found: Vec<_> = rates.iter().map(|(party, rate)| (party.limit(), rate.messages)).collect();
        let expected = [("recipient", 6), ("sender", 3), ("sender", 4), ("account", 1), ("account", 2)];
        assert_eq!(found, expected);
    }
}
