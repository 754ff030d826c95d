//! The one place that writes what happened to running instances.
//!
//! ```text
//!  outcomes of a batch ──► alone? ──yes──► advance in memory ──► one statement, conditional on the fence
//!                            │no                                        │ rows that did not come back
//!                            ▼                                          ▼
//!                          lock the instances, read their paths, check the fence ──► advance ──► write
//! ```
//!
//! An instance with a single path needs no lock: only the worker that holds the path could change what its
//! decision rests on, and the statement's condition (`worker`, `n`, not held) notices when a rescue or a
//! command came in between. Everything else – siblings, waits for messages, suspended instances – is
//! decided under the instance's lock.
//!
//! Lock order everywhere: jobs, then instances, then waits. What little deadlock is left (a job inserted
//! between the first two) the database resolves, and both sides repeat.

mod alone;
mod changes;
mod locked;

pub use alone::{STATEMENT, TELLING_STATEMENT, WIDE_STATEMENT};
pub(crate) use changes::append_log;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_workflow::path::Path;
use trunkline_workflow::{Graph, InstanceStatus, Outcome};

use crate::attempts::Attempt;
use crate::jobs::LeasedJob;
use crate::pools::Steps;
use crate::workers::Incarnation;
use crate::{PgConnection, StoreError};

/// A finished attempt, to be written.
#[derive(Debug, Clone)]
pub struct Completion {
    pub job: Arc<LeasedJob>,
    pub graph: Arc<Graph>,
    pub outcome: Outcome,
    /// The worker goes on with the path itself; else the next job is left to whoever claims it.
    pub keep: bool,
    /// Types of the steps that the worker goes on with.
    pub steps: Steps,
    /// What the history is told of the attempt.
    pub attempt: Option<Box<Attempt>>,
}

impl Completion {
    /// Whether the worker goes on with a path whose next step is this one.
    fn keeps(&self, step: usize) -> bool {
        self.keep && self.graph.steps.get(step).is_none_or(|step| self.steps.takes(step.step_type))
    }
}

/// The end of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub status: InstanceStatus,
    /// Since its start.
    pub after: Duration,
}

/// What the database made of a completion.
#[derive(Debug)]
pub enum Written {
    /// The path goes on here: its next job, already leased.
    Next(Box<LeasedJob>),
    /// Written; nothing is left to do for this worker. `ready`: somebody has a job to claim now.
    Done { ready: bool, ended: Option<Ended> },
    /// The job had been taken away (rescued, terminated, deleted): its result was dropped.
    Refused,
}

/// Writes a batch. The answers stand in the order of the completions.
pub async fn complete(
    connection: &mut PgConnection,
    worker: Incarnation,
    completions: Vec<Completion>,
) -> Result<Vec<Written>, StoreError> {
    let mut answers: Vec<Option<Written>> = Vec::new();
    answers.resize_with(completions.len(), || None);
    let (fast, slow): (Vec<usize>, Vec<usize>) =
        (0..completions.len()).partition(|&at| alone::fits(&completions[at]));
    let mut rest = slow;
    if !fast.is_empty() {
        let batch: Vec<&Completion> = fast.iter().map(|&at| &completions[at]).collect();
        for (at, answer) in fast.into_iter().zip(alone::write(connection, worker, &batch).await?) {
            match answer {
                Some(written) => answers[at] = Some(written),
                None => rest.push(at),
            }
        }
    }
    if !rest.is_empty() {
        rest.sort_by_key(|&at| completions[at].job.instance);
        let batch: Vec<&Completion> = rest.iter().map(|&at| &completions[at]).collect();
        for (at, written) in rest.into_iter().zip(locked::write(connection, worker, &batch).await?) {
            answers[at] = Some(written);
        }
    }
    Ok(answers.into_iter().map(|answer| answer.unwrap_or(Written::Refused)).collect())
}

/// The job that follows on `job`'s instance, as this worker would hold it.
fn successor(
    completion: &Completion,
    path: i32,
    n: i32,
    step: usize,
    scope: Option<i32>,
    (issued, alone): (i32, bool),
    started_at: DateTime<Utc>,
) -> LeasedJob {
    let job = &completion.job;
    LeasedJob {
        instance: job.instance,
        account: job.account.clone(),
        definition: job.definition,
        version: job.version,
        path: Path {
            path,
            n,
            step,
            scope,
            place: trunkline_workflow::path::Place::Active,
            attempt: 1,
            started_at: Some(started_at),
        },
        issued,
        alone,
        resume: None,
        data: None,
        instance_started_at: job.instance_started_at,
        waited: Duration::ZERO,
        trace: job.trace.clone(),
    }
}

fn ended(job: &LeasedJob, status: Option<InstanceStatus>, now: DateTime<Utc>) -> Option<Ended> {
    let after = (now - job.instance_started_at).to_std().unwrap_or_default();
    status.map(|status| Ended { status, after })
}

pub(crate) fn as_int(step: usize) -> i32 {
    i32::try_from(step).expect("a definition has at most 500 steps")
}
