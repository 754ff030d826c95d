//! Calls: a worker places them through the platform's voice API, a person takes them at the other end.
//!
//! ```text
//!                 ┌── busy, no-answer, hangup ─────────────────────────────────────────────┐
//!                 │                                                                        ▼
//!  placed ──▶ ringing ── answer ──▶ answered: say, playFile ── hangup, nothing left ──▶ ended
//!                                       │ sayAndCapture                                    ▲
//!                                       ▼                                                  │
//!                                   waits for digits ── hangup by the person ──────────────┤
//!                                       │ dtmf: enough digits, or none after the last try  │
//!                                       ▼                                                  │
//!                                   webhook: ACTION_COMPLETED ── its answer is played ─────┘
//! ```
//!
//! A call of the current API (`callflows`) tells the `/voice` webhook `CALL_INITIATED`, `CALL_CONNECTED`,
//! `ACTION_COMPLETED`, `CALL_DISCONNECTED` and, last, its session summary. `CALL_INITIATED` is told with
//! the first thing the person does and not earlier, so that whoever places a call has its id before its
//! events. A call of the first API (`calls`) only posts the pressed digits to its `dtmfCallbackUrl`.
//!
//! `play_call.rs` is a call's life, without any IO: every step returns the events to deliver.

mod action;
mod call;
mod check_callflow;
mod check_single_action;
mod list_calls;
mod list_webhooks;
mod obey_answer;
mod order;
mod params;
mod place_call;
mod play_call;
mod step_call;
mod voice_refusal;
mod write_event;

pub(super) use list_calls::{find, list};
pub(super) use list_webhooks::list_webhooks;
pub(super) use place_call::{place_by_action, place_by_callflow};
pub(super) use step_call::{answer, busy, dtmf, hang_up, no_answer};

use super::memory::Memory;
use call::Call;

pub(super) type Calls = Memory<Call>;
