//! The step types: how the wire spells them and what a definition must give each. One file per type; the
//! worker has a file of the same name that does it.

pub mod branch;
pub mod chat_apps_message;
pub mod http_request;
pub mod r#if;
pub mod jump;
pub mod send_to_converse;
pub mod sms;
pub mod voice_message;
pub mod wait;
pub mod wait_for_dtmf;
pub mod wait_for_receipt;
pub mod wait_for_reply;

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
}

impl StepType {
    pub const ALL: [Self; 12] = [
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
    ];

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
        }
    }

    pub fn name(self) -> &'static str {
        self.shape().name
    }

    /// Any letter case (X11).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step_type| {
            let shape = step_type.shape();
            shape.name.eq_ignore_ascii_case(text)
                || shape.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(text))
        })
    }
}
