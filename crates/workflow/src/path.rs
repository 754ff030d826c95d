//! The open paths of an instance, as the database holds them.
//!
//! A path is one line of execution. It is named by the number of its first job, keeps that name while jobs
//! follow each other on it, and is either active (a row in `jobs`) or parked (a row in `waits`).

use chrono::{DateTime, Utc};

use crate::graph::StepIndex;

/// Where a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// May be claimed, or is claimed: the one path of the instance that is at work.
    Active,
    /// Its next job is due, but a sibling is at work: one step at a time per instance (U-49).
    Queued,
    /// Waits for a time or an event.
    Parked,
    /// An `If` whose bodies are running.
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub path: i32,
    /// The number of its current job.
    pub n: i32,
    pub step: StepIndex,
    /// The path of the `If` whose body it runs in.
    pub scope: Option<i32>,
    pub place: Place,
    pub attempt: i32,
    /// `None`: not started.
    pub started_at: Option<DateTime<Utc>>,
}

/// What an instance looks like to a decision about one of its paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// How many jobs were given out so far.
    pub issued: i32,
    /// Every other open path, in any order.
    pub others: Vec<Path>,
}

impl View {
    /// The path is the only one: nobody else can change what the decision rests on.
    pub fn alone(issued: i32) -> Self {
        Self { issued, others: Vec::new() }
    }
}
