//! Our side of the providers, and the one outbound HTTP client.
//!
//! [`outbound`] is the only way out of the process over HTTP: it decides which addresses may be
//! called, how long it may take and what is known about a request that did not work.
//! [`eight_by_eight`] speaks the messaging provider's wire in both directions.
//! [`correlation`] turns a channel and a user identity into the key that waits and events share.

pub mod clock;
pub mod correlation;
pub mod eight_by_eight;
pub mod outbound;

#[cfg(test)]
mod recorded_server;
