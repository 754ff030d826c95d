//! Our side of the providers, and the one outbound HTTP client.
//!
//! [`outbound`] is the only way out of the process over HTTP: it decides which addresses may be
//! called, how long it may take and what is known about a request that did not work.
//! [`eight_by_eight`] speaks the messaging and voice platform's wire in both directions.
//! [`messages_api`] speaks the wire of the provider that dispatches were made for.
//! [`recording`] takes down what a step sent and got, without what must not be kept.
//! [`converse`] hands a conversation to people.
//! [`lenient_json`] reads what programs that cut texts in half send as JSON.
//! [`correlation`] turns a channel and a user identity into the key that waits and events share.

pub mod clock;
pub mod converse;
pub mod correlation;
pub mod eight_by_eight;
mod lenient_json;
pub mod messages_api;
pub mod outbound;
mod post_json;
pub mod recording;
mod send_failure;

pub use lenient_json::lenient_json;
pub use post_json::SEND_TIMEOUT;
pub use send_failure::SendFailure;

#[cfg(test)]
mod recorded_server;
