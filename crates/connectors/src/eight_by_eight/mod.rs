//! The 8x8 messaging platform: SMS and chat apps going out (spec 8.1–8.3), webhooks coming in
//! (spec 7.1–7.5).

pub mod chat_apps;
pub mod inbound;
pub mod receipt;
mod request_fields;
mod send_message;
pub mod sms;
pub mod wire;

pub use chat_apps::send_chat_apps_message;
pub use send_message::{MessagingConfig, SEND_TIMEOUT, SendFailure};
pub use sms::send_sms;
