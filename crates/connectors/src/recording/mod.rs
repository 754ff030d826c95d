//! What the history keeps of a step's inputs, of what it sent and got, and of its outputs.
//!
//! ```text
//! inputs ──┐
//! request ─┼─► secrets out ─► bodies by the account's policy ─► cut ──► Recorded
//! answer ──┘        ▲
//!                   └─ by name, by look, and wherever the same value comes again
//! ```
//!
//! Everything is redacted at once: nothing that must not be kept outlives the call that it was of. A secret is known by
//! the name of its header, member or parameter, by looking like a token in a URL, or because somebody says so; from
//! then on it is taken out wherever it comes again in the same attempt, in an echo of the other side's for instance.

mod names;
mod packed;
mod recorder;
mod redact_json;
mod redact_url;
mod redaction;
mod secrets;

pub use recorder::{Recorded, Recorder};
pub(crate) use redact_url::without_secrets;
pub use redaction::Redaction;
