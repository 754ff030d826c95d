//! What starts instances (spec 6.1).

/// The event type that starts instances of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    InboundSms,
    InboundChatApps,
    HttpRequest,
    /// Ours: the state of a sent message changed.
    DeliveryReceipt,
    /// Ours: a time of a cron expression came.
    Schedule,
}

impl Trigger {
    pub const ALL: [Self; 5] =
        [Self::InboundSms, Self::InboundChatApps, Self::HttpRequest, Self::DeliveryReceipt, Self::Schedule];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InboundSms => "inbound_sms",
            Self::InboundChatApps => "inbound_chat_apps",
            Self::HttpRequest => "http_request",
            Self::DeliveryReceipt => "delivery_receipt",
            Self::Schedule => "schedule",
        }
    }

    /// Any letter case (U-61).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str().eq_ignore_ascii_case(text))
    }
}
