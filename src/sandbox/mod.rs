//! A carrier for development: it speaks the wires of both messaging platforms, keeps what it is sent
//! in memory and plays the phone at the other end. Served by `dev`, never in production.
//!
//! ```text
//! worker ── POST /sandbox/8x8/{sms|chatapps}/api/v1/subaccounts/{id}/messages ──▶ outbox
//! worker ── POST /sandbox/8x8/voice/api/v1/subaccounts/{id}/{callflows|calls} ──▶ calls
//! worker ── POST /sandbox/nexmo/{v0.1|v1}/messages ────────────────────────────▶ outbox
//! you    ── GET /sandbox/outbox, /sandbox/calls ───────────────────────────────▶ what was sent, who was called
//! you    ── POST /sandbox/sms | /sandbox/chat | /sandbox/messages ──▶ webhook: a user wrote
//! you    ── POST /sandbox/outbox/{umid}/status ─▶ webhook: a receipt, or a status of the Messages API
//! you    ── POST /sandbox/calls/{uid}/{answer|dtmf|busy|no-answer|hangup} ─▶ webhooks: how the call went
//! step   ── any method /sandbox/service/… ───────▶ a service of your own; GET /sandbox/service: what it was asked
//! ```
//!
//! Webhooks are real HTTP requests to the server's own webhook URL, each tried once; the platform
//! would try again after 1, 10, 30 and 90 seconds. What the webhook answered is in the response.
//! What becomes of a call is drawn in `calls`, of a message of the Messages API in `messages_api`.
//!
//! The last digits of a destination, a number or an id, provoke what a platform does on a bad day; on
//! the Messages API also what it tells of a message afterwards:
//!
//! | destination ends in | answer for a message | answer for a call | Messages API |
//! | --- | --- | --- | --- |
//! | `0400` | 400, code 1002: the number is not valid | 400, code -1017 | v0.1: 400 `#InvalidParams`, v1: 422 `#110` |
//! | `0429` | 429 with `Retry-After: 1` for the first attempt, accepted afterwards | likewise | likewise |
//! | `0500` | 500, code 2000 | 500, code 500 | 500, `#1030` |
//! | `0999` | 200, the message is rejected | 200, `NOT_CREATED` (`calls`: `REJECTED`) | 202, then `rejected` (1120) |
//! | `0201` | | | 202, then `submitted`, `delivered` |
//! | `0202` | | | 202, then `submitted`, `delivered`, `read` |
//! | `0203` | | | 202, then `submitted`, `undeliverable` (1260) |
//! | `0204` | | | 202, then `rejected` (1120) |
//!
//! An SMS or MMS that is delivered by rule costs 0.0333 EUR. Of other destinations nothing is told
//! until you do.
//!
//! A repeated request (same `Idempotency-Key` for the same subaccount; for a message without that
//! header, same `clientMessageId`) gets the first answer again and counts in the entry's `deliveries`;
//! it makes no second message or call. The Messages API knows no such key: there, a second request
//! with the same `client_ref` is a second message, and its `deliveries` says so.

mod call_webhook;
mod calls;
mod carrier;
mod check_access;
mod check_chat_message;
mod check_sms;
mod country_of;
mod describe_sandbox;
mod find_message;
mod list_outbox;
mod memory;
mod messages_api;
mod name_chat_user;
mod outbox;
mod own_service;
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
pub use memory::CAPACITY;
pub use outbox::{OutboxMessage, Product};
pub use router::router;
