//! The rows of the store in memory: those columns of the tables that decisions rest on.

use std::sync::Arc;

use trunkline_store::waits::Resume;
use trunkline_workflow::{Graph, InstanceId, InstanceStatus};

/// Milliseconds by the database's clock.
pub(super) type Time = i64;

#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) graph: Arc<Graph>,
    pub(super) status: InstanceStatus,
    pub(super) issued: i32,
    pub(super) ended: bool,
    /// It was ended by a command.
    pub(super) terminated: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) n: i32,
    pub(super) step: usize,
    pub(super) scope: Option<i32>,
    pub(super) issued: i32,
    pub(super) attempt: i32,
    pub(super) alone: bool,
    pub(super) queued: bool,
    pub(super) held: bool,
    pub(super) worker: Option<i64>,
    pub(super) resume: Option<String>,
    pub(super) started_at: Option<Time>,
    pub(super) ready_at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitKind {
    Timer,
    Retry,
    Body,
    Event,
}

#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub(super) n: i32,
    pub(super) step: usize,
    pub(super) scope: Option<i32>,
    pub(super) issued: i32,
    pub(super) attempt: i32,
    pub(super) kind: WaitKind,
    pub(super) key: Option<String>,
    pub(super) due_at: Option<Time>,
    pub(super) started_at: Time,
    pub(super) resume: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) id: u32,
    pub(super) key: String,
    /// Who took it.
    pub(super) used_by: Option<(InstanceId, i32)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    pub(super) leased_until: Time,
    pub(super) lost: bool,
}

pub(super) fn due() -> String {
    Resume::Due.to_text()
}

pub(super) fn event_text(id: u32) -> String {
    let raw = serde_json::value::RawValue::from_string(format!("{{\"id\":{id}}}")).expect("it is JSON");
    Resume::Event(raw).to_text()
}
