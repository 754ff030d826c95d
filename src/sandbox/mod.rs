//! A carrier for development: it speaks the messaging platform's wire, keeps what it is sent in
//! memory and plays the phone at the other end. Served by `dev`, never in production.
//!
//! ```text
//! worker ── POST /sandbox/8x8/{sms|chatapps}/api/v1/subaccounts/{id}/messages ──▶ outbox
//! you    ── GET /sandbox/outbox ───────────────────────────────────────────────▶ what was sent
//! you    ── POST /sandbox/sms | /sandbox/chat ──▶ webhook: a user wrote
//! you    ── POST /sandbox/outbox/{umid}/status ─▶ webhook: a receipt
//! ```
//!
//! Webhooks are real HTTP requests to the server's own webhook URL, each tried once; the platform
//! would try again after 1, 10, 30 and 90 seconds. What the webhook answered is in the response.
//!
//! The last digits of a destination provoke what a platform does on a bad day:
//!
//! | destination ends in | answer |
//! | --- | --- |
//! | `0400` | 400, code 1002: the number is not valid |
//! | `0429` | 429 with `Retry-After: 1` for the first attempt, accepted afterwards |
//! | `0500` | 500, code 2000 |
//! | `0999` | 200, the message is rejected |
//!
//! A repeated request (same `Idempotency-Key` for the same subaccount; without that header, same
//! `clientMessageId`) gets the first answer again and counts in the entry's `deliveries`; it makes
//! no second message.

mod call_webhook;
mod carrier;
mod check_chat_message;
mod check_sms;
mod describe_sandbox;
mod list_outbox;
mod outbox;
mod provoke_failure;
mod receive_message;
mod refusal;
mod report_status;
mod request_body;
mod router;
mod sms_encoding;
mod submission;
mod submit_message;
#[cfg(test)]
mod tests;

pub use carrier::{Sandbox, SandboxConfig};
pub use outbox::{OUTBOX_CAPACITY, OutboxMessage, Product};
pub use router::router;
