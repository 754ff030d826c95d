//! The `schedule` trigger, an extension: when instances are started by the clock.
//!
//! ```text
//! "schedule": {"cron": "0 9 * * 1-5", "timeZone": "Singapore Standard Time", "missed": "once"}
//! ```
//!
//! A cron expression is about wall clocks. [`calendar`] finds the next time on a wall clock that never
//! changes, with the `cron` crate; [`next_after`] puts it into a zone whose clocks do; [`due_times`] decides
//! what is started for times that nobody was there for.

mod calendar;
mod days_of_week;
mod due_times;
mod next_after;
mod read_schedule;

pub use calendar::InvalidCron;
pub use due_times::Due;
pub(crate) use next_after::{next_move, wall_clock};
pub use read_schedule::{Flaw, Missed, Schedule};
