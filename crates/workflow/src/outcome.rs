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
    /// The instance ends here (spec 5.6).
    Failed { message: String, result: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    Timer,
    /// A message with this correlation key.
    Reply {
        key: String,
    },
}
