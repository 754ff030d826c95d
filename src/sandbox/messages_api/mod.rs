//! The Messages API of the other platform, in both generations (Workflows API 12): messages of Messenger, Viber,
//! `WhatsApp`, SMS and MMS. `/sandbox/nexmo` is the base URL to give to the connector.
//!
//! ```text
//! worker ── POST /sandbox/nexmo/{v0.1|v1}/messages ─▶ outbox ── by the recipient's ending ─▶ webhook: statuses
//! you    ── POST /sandbox/outbox/{umid}/status ─────────────────────────────────────────────▶ webhook: a status
//! you    ── POST /sandbox/messages ─────────────────────────────────────────────────▶ webhook: a user wrote
//! ```
//!
//! There is no idempotency key on this wire: a `client_ref` that comes again is one more message.

mod check_access;
mod check_message;
mod flat_message;
mod problem;
mod receive_message;
mod report_status;
mod statuses_that_follow;
mod submit_message;
mod tell_status;

pub(super) use receive_message::receive;
pub(super) use report_status::report;
pub(super) use submit_message::{submit_v0_1, submit_v1};
