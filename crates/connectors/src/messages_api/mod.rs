//! The Messages API, v0.1 and v1, as a provider: a message going out (spec 12.1–12.4), its statuses
//! and inbound messages coming in (spec 12.5, 10), and the signature of webhooks (spec 9.7), which
//! we make for our customers and check on what the provider sends; and the tokens of applications, which
//! we show to the provider and read where customers call us.

mod address;
mod application_token;
mod config;
mod inbound;
mod json_web_token;
mod outgoing_message;
mod read_refusal;
mod read_timestamp;
mod request_body;
mod send_message;
mod status;
pub mod status_code;
mod status_of_receipt;
mod webhook_signature;

pub use application_token::{ApplicationToken, TokenFault};
pub use config::{Auth, ConfigError, MessagesApi, MessagesApiSettings, SmsRoute, Version};
pub use inbound::{InboundMessage, parse_inbound};
pub use json_web_token::PrivateKeyFault;
pub use outgoing_message::OutgoingMessage;
pub use send_message::{NotTaken, SEND_TIMEOUT, Sending, send};
pub use status::{MessageStatus, ProviderStatus, WebhookFault, parse_status};
pub use status_code::StatusError;
pub use status_of_receipt::{ReceiptStatus, status_of_receipt};
pub use webhook_signature::{SignatureFault, WebhookClaims, sign_webhook, verify_webhook_token};
