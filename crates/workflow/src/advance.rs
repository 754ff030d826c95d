//! The decision at the end of a job: what becomes of its path, of its siblings and of the instance.
//!
//! ```text
//!              ┌── routes ──────► the path goes on with the first target, new paths take the others
//!   outcome ───┼── no routes ───► the path ends; was it the last of an If's body, the If goes on;
//!              │                  was it the last of all, the instance is Complete
//!              ├── waiting ─────► the path is parked
//!              ├── retry ───────► parked for a while, same job
//!              └── failed ──────► every path ends, the instance is Terminated
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::graph::{Graph, Landing, StepIndex};
use crate::outcome::{Awaited, Outcome, Wait};
use crate::path::{Path, Place, View};
use crate::status::{InstanceStatus, StepStatus};

/// U-09.
pub const MAX_JOBS: i32 = 10_000;
pub const TOO_MANY_STEPS: &str = "Workflow exceeded the maximum number of steps.";

/// A decision about one instance, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The path whose job finished, and that job's number.
    pub path: i32,
    pub n: i32,
    pub then: Then,
    /// New sibling paths.
    pub forked: Vec<NewPath>,
    /// Jobs given out so far, the new ones included.
    pub issued: i32,
    /// After this, the instance has one open path, and it is active.
    pub alone: bool,
    pub log: Vec<LogEntry>,
    pub data: Option<String>,
    pub ended: Option<InstanceStatus>,
    /// Sibling paths that end with the instance.
    pub cancelled: Vec<i32>,
    /// A queued sibling whose turn it is.
    pub woken: Option<i32>,
    /// An `If` whose last body path ended; it goes on as a job.
    pub closed: Option<Closed>,
}

/// What becomes of the path.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    Continues(NewPath),
    Parked(Parked),
    Ends,
}

/// A job to be done next on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPath {
    pub path: i32,
    pub n: i32,
    pub step: StepIndex,
    pub scope: Option<i32>,
    /// Not its turn yet.
    pub queued: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    pub kind: ParkedFor,
    pub step: StepIndex,
    pub scope: Option<i32>,
    pub attempt: i32,
    pub started_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ParkedFor {
    /// After the start of the step.
    Time(Duration),
    /// The same, unless what it awaits comes first.
    Event {
        awaited: Awaited,
        timeout: Duration,
    },
    /// From now.
    Retry {
        after: Duration,
        message: String,
    },
    Bodies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    pub path: i32,
    pub queued: bool,
}

/// A finished job in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    pub n: i32,
    pub name: String,
    pub status: StepStatus,
    pub attempt: i32,
    pub started_at: Option<DateTime<Utc>>,
    pub result: Option<String>,
    pub error: Option<String>,
}

/// Decides what follows from `outcome` of the job that `path` is at.
pub fn advance(graph: &Graph, view: &View, path: &Path, outcome: Outcome) -> Transition {
    let mut decision = Decision { graph, view, path, transition: unchanged(view, path) };
    match outcome {
        Outcome::Completed { result, data, timed_out, next } => {
            let status = if timed_out { StepStatus::Cancelled } else { StepStatus::Complete };
            decision.log(status, result, None);
            decision.transition.data = data;
            decision.follow(&next);
        }
        Outcome::EnterBodies => decision.enter_bodies(),
        Outcome::Waiting { wait, due_after } => decision.park(match wait {
            Wait::Timer => ParkedFor::Time(due_after),
            Wait::Event(awaited) => ParkedFor::Event { awaited, timeout: due_after },
        }),
        Outcome::Retry { after, message } => decision.park(ParkedFor::Retry { after, message }),
        Outcome::Postponed { after, message } => {
            decision.park(ParkedFor::Retry { after, message });
            if let Then::Parked(parked) = &mut decision.transition.then {
                parked.attempt = (parked.attempt - 1).max(0);
            }
        }
        Outcome::Failed { message, result } => {
            decision.log(StepStatus::Failed, result, Some(message));
            decision.end(InstanceStatus::Terminated);
        }
    }
    decision.transition
}

/// Ends every path of an instance, as the terminate command does: the log entries to write.
pub fn cancel(graph: &Graph, paths: &[Path]) -> Vec<LogEntry> {
    paths.iter().map(|path| entry(graph, path, StepStatus::Cancelled, None, None)).collect()
}

fn unchanged(view: &View, path: &Path) -> Transition {
    Transition {
        path: path.path,
        n: path.n,
        then: Then::Ends,
        forked: Vec::new(),
        issued: view.issued,
        alone: false,
        log: Vec::new(),
        data: None,
        ended: None,
        cancelled: Vec::new(),
        woken: None,
        closed: None,
    }
}

fn entry(
    graph: &Graph,
    path: &Path,
    status: StepStatus,
    result: Option<String>,
    error: Option<String>,
) -> LogEntry {
    let name = graph.steps.get(path.step).map_or_else(String::new, |step| step.id.clone());
    let Path { n, attempt, started_at, .. } = *path;
    LogEntry { n, name, status, attempt, started_at, result, error }
}

struct Decision<'a> {
    graph: &'a Graph,
    view: &'a View,
    path: &'a Path,
    transition: Transition,
}

impl Decision<'_> {
    fn log(&mut self, status: StepStatus, result: Option<String>, error: Option<String>) {
        self.transition.log.push(entry(self.graph, self.path, status, result, error));
    }

    fn follow(&mut self, next: &[Landing]) {
        if self.exceeds_limit(next.first().map(|landing| landing.step), next.len()) {
            return;
        }
        let mut paths: Vec<NewPath> =
            next.iter().map(|landing| self.new_path(landing.step, self.scope_of(landing))).collect();
        if let Some(first) = paths.first_mut() {
            first.path = self.path.path;
        }
        self.close_left_body(&paths);
        if paths.is_empty() && self.view.others.is_empty() {
            self.transition.ended = Some(InstanceStatus::Complete);
            return;
        }
        self.take_turns(&mut paths);
        let mut paths = paths.into_iter();
        self.transition.then = paths.next().map_or(Then::Ends, Then::Continues);
        self.transition.forked = paths.collect();
    }

    fn enter_bodies(&mut self) {
        let entries = &self.graph.steps[self.path.step].bodies;
        if self.exceeds_limit(entries.first().copied(), entries.len()) {
            return;
        }
        let mut paths: Vec<NewPath> =
            entries.iter().map(|&step| self.new_path(step, Some(self.path.path))).collect();
        self.take_turns(&mut paths);
        self.transition.then = Then::Parked(self.parked(ParkedFor::Bodies));
        self.transition.forked = paths;
        self.transition.alone = false;
    }

    fn park(&mut self, kind: ParkedFor) {
        self.take_turns(&mut []);
        self.transition.then = Then::Parked(self.parked(kind));
        self.transition.alone = false;
    }

    fn parked(&self, kind: ParkedFor) -> Parked {
        let Path { step, scope, attempt, started_at, .. } = *self.path;
        let started_at = started_at.expect("a job that has an outcome was started");
        Parked { kind, step, scope, attempt, started_at }
    }

    fn new_path(&mut self, step: StepIndex, scope: Option<i32>) -> NewPath {
        self.transition.issued += 1;
        let n = self.transition.issued;
        NewPath { path: n, n, step, scope, queued: true }
    }

    /// A route out of a body lands in the scope around it.
    fn scope_of(&self, landing: &Landing) -> Option<i32> {
        (0..landing.leaves).fold(self.path.scope, |scope, _| self.scope_around(scope?))
    }

    fn scope_around(&self, scope: i32) -> Option<i32> {
        self.view.others.iter().find(|other| other.path == scope).and_then(|open| open.scope)
    }

    /// When nothing of the path's body is left, its `If` goes on.
    fn close_left_body(&mut self, paths: &[NewPath]) {
        let Some(scope) = self.path.scope else { return };
        let inside = self.view.others.iter().any(|other| other.scope == Some(scope))
            || paths.iter().any(|path| path.scope == Some(scope));
        if !inside {
            self.transition.closed = Some(Closed { path: scope, queued: true });
        }
    }

    /// One step at a time per instance, first come first served: queued siblings, then an `If` that just
    /// closed, then the new jobs.
    fn take_turns(&mut self, paths: &mut [NewPath]) {
        let others = &self.view.others;
        let queued = others.iter().filter(|other| other.place == Place::Queued).min_by_key(|other| other.n);
        if others.iter().any(|other| other.place == Place::Active) {
            // Cannot happen while the rows are right; then the sibling's end takes the next turn.
        } else if let Some(first) = queued {
            self.transition.woken = Some(first.path);
        } else if let Some(closed) = &mut self.transition.closed {
            closed.queued = false;
        } else if let Some(first) = paths.first_mut() {
            first.queued = false;
        }
        let active =
            others.iter().filter(|other| matches!(other.place, Place::Active | Place::Queued)).count()
                + usize::from(self.transition.closed.is_some())
                + paths.len();
        let parked = others.iter().filter(|other| matches!(other.place, Place::Parked | Place::Open)).count()
            - usize::from(self.transition.closed.is_some());
        self.transition.alone = active == 1 && parked == 0;
    }

    /// The job after the last one allowed is logged as the one that failed.
    fn exceeds_limit(&mut self, first: Option<StepIndex>, count: usize) -> bool {
        let Some(step) = first else { return false };
        let room = usize::try_from(MAX_JOBS - self.view.issued).unwrap_or(0);
        if count <= room {
            return false;
        }
        if self.transition.log.is_empty() {
            self.log(StepStatus::Complete, None, None);
        }
        let refused = Path {
            path: 0,
            n: self.view.issued + 1,
            step,
            scope: None,
            place: Place::Active,
            attempt: 0,
            started_at: None,
        };
        let message = Some(TOO_MANY_STEPS.to_owned());
        self.transition.log.push(entry(self.graph, &refused, StepStatus::Failed, None, message));
        self.end(InstanceStatus::Terminated);
        true
    }

    fn end(&mut self, status: InstanceStatus) {
        self.transition.log.extend(cancel(self.graph, &self.view.others));
        self.transition.cancelled = self.view.others.iter().map(|other| other.path).collect();
        self.transition.ended = Some(status);
    }
}

#[cfg(test)]
#[path = "advance_tests.rs"]
mod tests;
