//! The 8x8 platform: SMS, chat apps and calls going out (spec 8.1–8.4), webhooks coming in
//! (spec 7.1–7.6), and what an operator needs to connect the two (spec 7.9).

pub mod chat_apps;
mod check_access;
mod config;
pub mod inbound;
mod product;
pub mod receipt;
mod register_webhooks;
mod request_fields;
mod send_message;
mod send_workflow_sms;
pub mod sms;
mod sub_account;
pub mod voice;
pub mod voice_inbound;
pub mod wire;

pub use chat_apps::send_chat_apps_message;
pub use check_access::{Access, check_access};
pub use config::{EightByEight, Region, Settings as EightByEightSettings, VoiceApi};
pub use product::Product;
pub use register_webhooks::{OurWebhooks, Registration, register_webhooks};
pub use send_workflow_sms::send_workflow_sms;
pub use sms::send_sms;
pub(crate) use sub_account::is_sub_account_id;
pub use voice::{PlacedCall, Placing, send_voice_message};

pub use crate::post_json::SEND_TIMEOUT;
pub use crate::send_failure::SendFailure;
