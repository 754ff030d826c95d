//! Our side of the providers, and the one outbound HTTP client.
//!
//! [`outbound`] is the only way out of the process over HTTP: it decides which addresses may be
//! called, how long it may take and what is known about a request that did not work.
//! [`eight_by_eight`] speaks the messaging provider's wire in both directions.
//! [`lenient_json`] reads what programs that cut texts in half send as JSON.
//! [`correlation`] turns a channel and a user identity into the key that waits and events share.

pub mod clock;
pub mod correlation;
pub mod eight_by_eight;
mod lenient_json;
pub mod outbound;

pub use lenient_json::lenient_json;

#[cfg(test)]
mod recorded_server;
