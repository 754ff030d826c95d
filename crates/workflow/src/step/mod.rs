//! The step types: how the wire spells them and what a definition must give each. One file per type; the
//! worker has a file of the same name that does it.

pub mod branch;
pub mod chat_apps_message;
pub mod failover;
pub mod http_request;
pub mod r#if;
pub mod jump;
pub mod report_outcome;
pub mod send_message;
pub mod send_to_converse;
pub mod sms;
pub mod voice_message;
pub mod wait;
pub mod wait_for_dtmf;
pub mod wait_for_receipt;
pub mod wait_for_reply;
pub mod wait_for_status;

pub use crate::step_input::{Input, Kind};

/// What a definition must and may say for a step of this type (spec 3.5, V10–V15).
#[derive(Debug)]
pub struct Shape {
    /// As the wire spells it.
    pub name: &'static str,
    /// Other spellings that are accepted.
    pub aliases: &'static [&'static str],
    /// What it does, for people who write definitions, in Markdown.
    pub description: &'static str,
    /// Inputs that are known; others are kept and ignored.
    pub inputs: &'static [Input],
    /// V11: the type does nothing but route.
    pub must_route: bool,
    /// Its `do` is run (U-63).
    pub has_bodies: bool,
    /// Ours, not in the original.
    pub is_extension: bool,
}

impl Shape {
    const fn named(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            aliases: &[],
            description,
            inputs: &[],
            must_route: false,
            has_bodies: false,
            is_extension: false,
        }
    }

    /// Names of the inputs that must be there (V10).
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        self.inputs.iter().filter(|input| input.required).map(|input| input.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepType {
    Sms,
    ChatAppsMessage,
    HttpRequest,
    Branch,
    If,
    Wait,
    WaitForReply,
    VoiceMessage,
    WaitForDtmf,
    SendToConverse,
    Jump,
    /// Ours, not in the original.
    WaitForReceipt,
    /// Likewise.
    Failover,
    /// Of the definition that workflows of the Workflows API are instances of, like the next two: no other
    /// definition may have them.
    SendMessage,
    WaitForStatus,
    ReportOutcome,
}

impl StepType {
    pub const ALL: [Self; 13] = [
        Self::Sms,
        Self::ChatAppsMessage,
        Self::HttpRequest,
        Self::Branch,
        Self::If,
        Self::Wait,
        Self::WaitForReply,
        Self::VoiceMessage,
        Self::WaitForDtmf,
        Self::SendToConverse,
        Self::Jump,
        Self::WaitForReceipt,
        Self::Failover,
    ];

    /// What no client's definition may have.
    pub const INTERNAL: [Self; 3] = [Self::SendMessage, Self::WaitForStatus, Self::ReportOutcome];

    pub fn shape(self) -> &'static Shape {
        match self {
            Self::Sms => &sms::SHAPE,
            Self::ChatAppsMessage => &chat_apps_message::SHAPE,
            Self::HttpRequest => &http_request::SHAPE,
            Self::Branch => &branch::SHAPE,
            Self::If => &r#if::SHAPE,
            Self::Wait => &wait::SHAPE,
            Self::WaitForReply => &wait_for_reply::SHAPE,
            Self::VoiceMessage => &voice_message::SHAPE,
            Self::WaitForDtmf => &wait_for_dtmf::SHAPE,
            Self::SendToConverse => &send_to_converse::SHAPE,
            Self::Jump => &jump::SHAPE,
            Self::WaitForReceipt => &wait_for_receipt::SHAPE,
            Self::Failover => &failover::SHAPE,
            Self::SendMessage => &send_message::SHAPE,
            Self::WaitForStatus => &wait_for_status::SHAPE,
            Self::ReportOutcome => &report_outcome::SHAPE,
        }
    }

    pub fn name(self) -> &'static str {
        self.shape().name
    }

    /// Any letter case (X11). None of those that are internal.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step_type| step_type.is_called(text))
    }

    /// In what is stored.
    pub fn parse_stored(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::INTERNAL.into_iter().find(|step_type| step_type.is_called(text)))
    }

    fn is_called(self, text: &str) -> bool {
        let shape = self.shape();
        shape.name.eq_ignore_ascii_case(text)
            || shape.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(text))
    }
}
