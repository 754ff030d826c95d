//! Running an ended instance again, as a new one: which paths that one begins with.
//!
//! ```text
//!  the log of the origin                          the paths of the new instance
//!  ─────────────────────────────────────────────────────────────────────────────
//!  Failed                                  ──────► begins its step, at once
//!  Cancelled when the instance ended       ──────► begins its step when it is its turn
//!     … an `If` with one of them inside    ──────► stays open around it
//!     … an `If` whose bodies had ended     ──────► goes on behind them
//! ```
//!
//! The log knows steps by their ids, which are unique in their array and not beyond. Where more than one step may be
//! meant the re-run is refused: better none than a message sent by the wrong one.

mod choice;
mod first_message;

use chrono::{DateTime, Utc};

use crate::advance::TOO_MANY_STEPS;
use crate::graph::{Graph, StepIndex};
use crate::ids::{InstanceId, Version};
use crate::status::{InstanceStatus, StepStatus};
use crate::step::StepType;

pub use choice::{Choice, OnVersion, StartAt};
pub use first_message::{Course, first_message};

/// An instance to be run again.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    pub graph: &'a Graph,
    pub log: &'a [Logged],
    /// The first numbers of its paths that began behind the bodies of an `If`: their log says nothing of those.
    pub behind: &'a [i32],
    pub ended_at: DateTime<Utc>,
}

/// A line of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub n: i32,
    pub name: String,
    pub status: StepStatus,
    pub is_started: bool,
    pub completed_at: DateTime<Utc>,
    pub error: Option<String>,
}

/// A path of the new instance. Its first job has the path's number, and they count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    pub path: i32,
    pub step: StepIndex,
    pub scope: Option<i32>,
    pub place: BeginningPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginningPlace {
    /// It is this path's turn.
    Active,
    Queued,
    /// An `If` whose bodies have ended.
    BehindBodies {
        queued: bool,
    },
    /// An `If` with paths in its bodies.
    Open,
}

/// Why an instance is not run again. Part of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is {}, and only what has ended can be run again", .0.as_str())]
    NotEnded(InstanceStatus),
    #[error("its definition is being drained: nothing of it is started until it is resumed")]
    Draining,
    #[error("none of its steps failed: choose `start` or a step")]
    NoFailedStep,
    #[error("it was ended for the number of its steps: choose `start` or a step")]
    TooManySteps,
    #[error("version {version} has no step `{step}`")]
    NoSuchStep { version: Version, step: String },
    #[error("step `{step}` is in other `If`s in version {version}")]
    OtherPlace { version: Version, step: String },
    #[error("step `{step}` is no `If` in version {version}")]
    NoIf { version: Version, step: String },
    #[error("there are several steps `{step}` in version {version}, and nothing says which one is meant")]
    SeveralSteps { version: Version, step: String },
    #[error("it ran in `If` `{0}` more than once at the same time: choose `start` or a step")]
    SeveralTimesOpen(String),
    #[error("the definition has no version {0}")]
    NoSuchVersion(Version),
    #[error("the definition has no step")]
    NoSteps,
    #[error("the context with which it was started is not known, because it is older than this feature")]
    StartUnknown,
    #[error("its context would be larger than 1 MiB")]
    ContextTooLarge,
    #[error("it is no workflow of the Workflows API, and those alone begin at a message: choose a step")]
    NoMessages,
    #[error("it is a workflow of the Workflows API: choose one of its messages, not a step")]
    MessageNotStep,
    #[error("it has {messages} messages, and none is number {number}")]
    NoSuchMessage { number: usize, messages: usize },
    #[error("it did not fail: choose `start` or a message")]
    NoFailedMessage,
    #[error("what the Workflows API was asked to send was checked there and cannot be replaced")]
    Unchecked,
    #[error("it is the workflow of a step of instance {0}: run that one again")]
    OfStep(InstanceId),
    #[error("the workflow that it is was removed")]
    Removed,
    #[error("instance {0}, a workflow that it started, has not ended: try again in a moment")]
    LiveChild(InstanceId),
}

impl Refusal {
    /// Nothing is wrong with the instance but the time.
    pub fn is_by_status(&self) -> bool {
        matches!(self, Self::NotEnded(_) | Self::LiveChild(_))
    }
}

/// A version's steps.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub graph: &'a Graph,
    pub version: Version,
    /// It is the version that the origin ran on.
    pub is_same: bool,
}

/// The paths that the new instance begins with.
pub fn rerun(
    origin: &Origin<'_>,
    origin_version: Version,
    target: &Target<'_>,
    from: &StartAt,
) -> Result<Vec<Beginning>, Refusal> {
    match from {
        StartAt::Start => {
            let step = target.graph.entry().ok_or(Refusal::NoSteps)?;
            Ok(vec![Beginning { path: 1, step, scope: None, place: BeginningPlace::Active }])
        }
        StartAt::Step(id) => from_step(target, id),
        StartAt::Message(_) => Err(Refusal::NoMessages),
        StartAt::Failed => from_failed(origin, origin_version, target),
    }
}

/// A single path, in the `If`s that are around the step.
fn from_step(target: &Target<'_>, id: &str) -> Result<Vec<Beginning>, Refusal> {
    let Target { graph, version, .. } = *target;
    let step = || id.to_owned();
    let mut found = positions(graph, id);
    let position = found.next().ok_or_else(|| Refusal::NoSuchStep { version, step: step() })?;
    if found.next().is_some() {
        return Err(Refusal::SeveralSteps { version, step: step() });
    }
    let mut around: Vec<StepIndex> = graph.enclosing(position).collect();
    around.reverse();
    let steps = around.into_iter().map(|step| (step, BeginningPlace::Open));
    let steps = steps.chain([(position, BeginningPlace::Active)]);
    Ok(steps
        .zip(1..)
        .map(|((step, place), path)| Beginning { path, step, scope: (path > 1).then_some(path - 1), place })
        .collect())
}

/// A path that ended with the instance.
struct Ended<'a> {
    entry: &'a Logged,
    step: StepIndex,
}

fn from_failed(
    origin: &Origin<'_>,
    version: Version,
    target: &Target<'_>,
) -> Result<Vec<Beginning>, Refusal> {
    let graph = origin.graph;
    let failed = origin.log.iter().rev().find(|entry| entry.status == StepStatus::Failed);
    let failed = failed.ok_or(Refusal::NoFailedStep)?;
    if failed.error.as_deref() == Some(TOO_MANY_STEPS) {
        return Err(Refusal::TooManySteps);
    }
    let mut entries: Vec<&Logged> = origin
        .log
        .iter()
        .filter(|entry| entry.status == StepStatus::Cancelled && entry.completed_at == origin.ended_at)
        .chain([failed])
        .collect();
    entries.sort_by_key(|entry| entry.n);
    let ended = entries
        .iter()
        .map(|entry| Ok(Ended { entry, step: locate(graph, version, &entries, entry)? }))
        .collect::<Result<Vec<_>, Refusal>>()?;
    let mut beginnings = Vec::with_capacity(ended.len());
    for (path, at) in (1..).zip(&ended) {
        let scope = match graph.enclosing(at.step).next() {
            Some(around) => Some(opener(graph, &ended, around)?),
            None => None,
        };
        let is_open = graph.steps[at.step].step_type == StepType::If
            && ended.iter().any(|inner| graph.enclosing(inner.step).next() == Some(at.step))
            && opener(graph, &ended, at.step)? == path;
        let queued = at.entry.n != failed.n;
        let place = if is_open {
            BeginningPlace::Open
        } else if bodies_ended(origin, at) {
            BeginningPlace::BehindBodies { queued }
        } else if queued {
            BeginningPlace::Queued
        } else {
            BeginningPlace::Active
        };
        let step = if target.is_same { at.step } else { counterpart(graph, at.step, target)? };
        let needs_if = matches!(place, BeginningPlace::Open | BeginningPlace::BehindBodies { .. });
        if needs_if && target.graph.steps[step].step_type != StepType::If {
            return Err(Refusal::NoIf { version: target.version, step: at.entry.name.clone() });
        }
        beginnings.push(Beginning { path, step, scope, place });
    }
    Ok(beginnings)
}

fn positions(graph: &Graph, id: &str) -> impl Iterator<Item = StepIndex> {
    graph.steps.iter().enumerate().filter(move |(_, step)| step.id == id).map(|(position, _)| position)
}

/// The step of an entry: the one of its id that is in `If`s which ended with the instance, too.
fn locate(
    graph: &Graph,
    version: Version,
    entries: &[&Logged],
    entry: &Logged,
) -> Result<StepIndex, Refusal> {
    let may_be_open = |around: StepIndex| {
        let id = &graph.steps[around].id;
        entries.iter().any(|other| other.n < entry.n && other.name == *id)
    };
    let mut found =
        positions(graph, &entry.name).filter(|&position| graph.enclosing(position).all(may_be_open));
    let step = || entry.name.clone();
    let position = found.next().ok_or_else(|| Refusal::NoSuchStep { version, step: step() })?;
    if found.next().is_some() {
        return Err(Refusal::SeveralSteps { version, step: step() });
    }
    Ok(position)
}

/// The path of the open `If` at this step: it began before everything in its bodies. Another path may stand at the
/// same step and not be in it yet.
fn opener(graph: &Graph, ended: &[Ended<'_>], step: StepIndex) -> Result<i32, Refusal> {
    let inside = ended.iter().filter(|other| graph.enclosing(other.step).next() == Some(step));
    let first_inside = inside.map(|other| other.entry.n).min().unwrap_or(i32::MAX);
    let may_be =
        |other: &Ended<'_>| other.step == step && other.entry.is_started && other.entry.n < first_inside;
    let mut openers = (1..).zip(ended).filter(|(_, other)| may_be(other)).map(|(path, _)| path);
    match (openers.next(), openers.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(Refusal::SeveralTimesOpen(graph.steps[step].id.clone())),
    }
}

/// Whether the bodies of an `If` had run before it ended.
fn bodies_ended(origin: &Origin<'_>, at: &Ended<'_>) -> bool {
    let Origin { graph, log, .. } = *origin;
    let is_inside = |name: &str| {
        positions(graph, name).any(|inner| graph.enclosing(inner).any(|around| around == at.step))
    };
    let ran_inside = || log.iter().any(|entry| entry.n > at.entry.n && is_inside(&entry.name));
    graph.steps[at.step].step_type == StepType::If
        && (origin.behind.contains(&at.entry.n) || at.entry.is_started && ran_inside())
}

/// Whether a step has completed that writes to the context.
pub fn has_written(graph: &Graph, log: &[Logged]) -> bool {
    let writes = |name: &str| positions(graph, name).any(|step| graph.steps[step].writes());
    log.iter().any(|entry| entry.status == StepStatus::Complete && writes(&entry.name))
}

/// The step of the same id in `If`s of the same ids.
fn counterpart(graph: &Graph, step: StepIndex, target: &Target<'_>) -> Result<StepIndex, Refusal> {
    let ids = |graph: &Graph, step: StepIndex| -> Vec<String> {
        graph.enclosing(step).map(|around| graph.steps[around].id.clone()).collect()
    };
    let (id, version) = (&graph.steps[step].id, target.version);
    let around = ids(graph, step);
    if positions(target.graph, id).next().is_none() {
        return Err(Refusal::NoSuchStep { version, step: id.clone() });
    }
    let mut found = positions(target.graph, id).filter(|&other| ids(target.graph, other) == around);
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(Refusal::SeveralSteps { version, step: id.clone() }),
        (None, _) => Err(Refusal::OtherPlace { version, step: id.clone() }),
    }
}

#[cfg(test)]
mod tests;
