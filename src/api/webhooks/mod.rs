//! The providers call us (spec 7).

mod caller_address;
pub(super) mod credentials;
pub mod dtmf;
pub(super) mod from_messages_api;
pub mod inbound_message;
pub mod message_status;
pub mod messages;
mod storable;
pub mod voice;
