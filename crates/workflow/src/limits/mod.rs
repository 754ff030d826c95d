//! What an account may do at once: how often it sends, when it is quiet, how many of its steps are under way, and
//! definitions that are paused or drained.
//!
//! ```text
//! a step that is about to act ──► quiet now? ──► each rate: room for it, behind all who wait? ──► leave
//!                                    │                 │ no                 likewise concurrency
//!                                    ▼                 ▼
//!                                  it waits, in order, for what holds it up the longest
//! ```
//!
//! Everything here is a decision about numbers and times that it is handed; the store keeps them.

mod log;
mod outgoing;
mod quiet_hours;
mod read_settings;
mod reason;
mod settings;

pub use log::Log;
pub use outgoing::{Channel, Outgoing, Party};
pub use quiet_hours::{QuietHours, TimeOfDay, Weekdays, quiet_until};
pub use read_settings::{Flaw, read_settings};
pub use reason::Reason;
pub use settings::{DefinitionLimit, Period, Rate, SenderLimit, Settings};
