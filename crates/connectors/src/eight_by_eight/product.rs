//! What the platform sells under separate hosts.

use std::fmt;

use super::config::EightByEight;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Sms,
    ChatApps,
    Voice,
}

impl Product {
    /// Without a slash at its end.
    pub(super) fn base_url(self, config: &EightByEight) -> &str {
        let url = match self {
            Self::Sms => &config.sms_url,
            Self::ChatApps => &config.chat_apps_url,
            Self::Voice => &config.voice_url,
        };
        url.trim_end_matches('/')
    }

    /// As the sentence of a fault says it.
    pub(super) fn message_noun(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::ChatApps => "chat apps message",
            Self::Voice => "voice message",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sms => "SMS",
            Self::ChatApps => "chat apps",
            Self::Voice => "voice",
        })
    }
}
