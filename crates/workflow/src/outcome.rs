//! What came of an attempt of a job.

use std::time::Duration;

use crate::graph::Landing;

/// Outcomes are not errors: whoever knows why a step did not work decides whether trying again can help.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The activity is over and the routes are chosen.
    Completed {
        /// What the activity returned (`step`), as JSON text.
        result: Option<String>,
        /// The whole context as JSON text, when an output changed it.
        data: Option<String>,
        /// A wait whose time ran out ends as `Cancelled` in the log, and routes all the same (spec 5.4).
        timed_out: bool,
        next: Vec<Landing>,
    },
    /// The condition of an `If` holds: its bodies run, the `If` stays open until all of them ended.
    EnterBodies,
    /// The job is parked. The time counts from the start of the step.
    Waiting { wait: Wait, due_after: Duration },
    /// The attempt certainly had no effect; the same job is tried again later.
    Retry { after: Duration, message: String },
    /// Nothing was tried, because something is missing that will come; the attempt does not count.
    Postponed { after: Duration, message: String },
    /// The instance ends here (spec 5.6).
    Failed { message: String, result: Option<String> },
}

impl Outcome {
    /// Of the texts that are written.
    pub fn bytes(&self) -> usize {
        let texts = match self {
            Self::Completed { result, data, .. } => [result.as_ref(), data.as_ref()],
            Self::Failed { message, result } => [Some(message), result.as_ref()],
            _ => [None, None],
        };
        texts.into_iter().flatten().map(String::len).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    Timer,
    /// An event from outside, or the end of the time.
    Event(Awaited),
}

/// What a parked path listens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    pub event: AwaitedEvent,
    /// The correlation key that the event must have.
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwaitedEvent {
    /// A message from a user (spec 6.5).
    Reply,
    /// Keys pressed in a call (spec 7.7).
    Dtmf,
    /// A receipt with one of these states.
    Receipt { states: Vec<String> },
}

impl AwaitedEvent {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Dtmf => "dtmf",
            Self::Receipt { .. } => "receipt",
        }
    }

    /// The states that end the wait; empty: all of them.
    pub fn states(&self) -> &[String] {
        match self {
            Self::Receipt { states } => states,
            Self::Reply | Self::Dtmf => &[],
        }
    }
}
