//! What a client of the Workflows and Messages API asks for, read and checked (Dispatch 4, 5), and what a
//! provider's statuses mean for it (Dispatch 8.1), and what is told of it (Dispatch 9).
//!
//! Checks only look, and gather every problem with its place; a [`Message`] is made of what they found nothing
//! wrong with.

mod callback;
mod channel;
mod check_content;
mod check_failover;
mod check_message;
mod check_number;
mod check_options;
mod check_party;
mod check_url;
mod content_type;
mod definition;
mod message;
mod parse_request;
mod place;
mod problems;
mod read_body;
mod request_error;
mod rules;
mod status;

pub use callback::{Flavour, Link, Outcome, Refusal, Report, ReportedMessage, StatusChange, Usage};
pub use channel::Channel;
pub use definition::{message_steps, steps};
pub use message::{Dispatch, Failover, Message};
pub use parse_request::{parse, parse_message, parse_with, parse_workflow};
pub use request_error::{InvalidParameter, RequestError};
pub use rules::{Rules, Strictness};
pub use rust_decimal::Decimal as Price;
pub use status::{Condition, Status, deciding_statuses};

#[cfg(test)]
mod tests;
