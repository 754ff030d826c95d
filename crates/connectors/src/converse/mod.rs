//! Hands a conversation to people (spec 3.5.10).
//!
//! There is no public API for that, so this is a contract of ours: an adapter that the operator
//! runs takes `{accountId, subAccountId, workflowId, payload}` and answers `{"ticketId": "…"}`.

mod send_to_converse;

pub use send_to_converse::{ConverseSettings, send_to_converse};
