//! What starts instances (spec 6.1).

/// The event type that starts instances of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    InboundSms,
    InboundChatApps,
    HttpRequest,
}

impl Trigger {
    pub const ALL: [Self; 3] = [Self::InboundSms, Self::InboundChatApps, Self::HttpRequest];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InboundSms => "inbound_sms",
            Self::InboundChatApps => "inbound_chat_apps",
            Self::HttpRequest => "http_request",
        }
    }

    /// Any letter case (U-61).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str().eq_ignore_ascii_case(text))
    }
}
