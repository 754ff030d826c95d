//! A worker: what of its life rests on what it believes. It claims, executes, completes and renews its lease; after an
//! answer that did not come it does what the real one does.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use trunkline_store::jobs::LeasedJob;
use trunkline_store::pools::Steps;
use trunkline_store::transitions::{Completion, Written};
use trunkline_store::workers::{Incarnation, Renewal};
use trunkline_workflow::InstanceId;

use super::world::{Now, What, World};
use crate::complete_jobs::{as_claimed, was_certainly_not_written};
use crate::lease::certainly_holds;

/// Milliseconds.
pub(super) const LEASE: Now = 2_000;
const SLOTS: usize = 4;
const POLL: Now = 300;
const BETWEEN_RELEASES: Now = 1_000;

/// What a worker asks the store.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Register,
    Renew,
    Claim { limit: usize },
    ReleaseOthers { in_hand: BTreeSet<InstanceId> },
    Complete { batch: Vec<Completion> },
    Reload { instances: BTreeSet<InstanceId> },
}

#[derive(Debug)]
pub(super) enum Reply {
    Registered(Incarnation),
    Renewed(Renewal),
    Jobs(Vec<LeasedJob>),
    Released,
    Written(Vec<Written>),
    NoAnswer,
}

/// A job being executed.
#[derive(Debug)]
struct Execution {
    id: u64,
    job: LeasedJob,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    /// What is meant for an earlier life does not reach it.
    pub(super) life: u64,
    pub(super) incarnation: Option<Incarnation>,
    renewed_at: Now,
    executions: Vec<Execution>,
    finished: Vec<Completion>,
    /// What is being written, or of unknown fate.
    writing: Vec<Completion>,
    is_writing: bool,
    released_at: Now,
}

impl World {
    pub(super) fn begin_life(&mut self, at: usize) {
        let life = self.workers[at].life + 1;
        self.workers[at] = Worker { life, ..Worker::default() };
        self.ask(at, Request::Register);
    }

    pub(super) fn answered(&mut self, at: usize, request: Request, reply: Reply, asked_at: Now) {
        match (request, reply) {
            (Request::Register, Reply::Registered(incarnation)) => {
                let worker = &mut self.workers[at];
                worker.incarnation = Some(incarnation);
                worker.renewed_at = asked_at;
                self.later(at, LEASE / 3, What::Renew);
                self.later(at, 0, What::Claim);
            }
            (Request::Renew, Reply::Renewed(Renewal::Renewed { .. })) => {
                self.workers[at].renewed_at = asked_at;
                self.later(at, LEASE / 3, What::Renew);
            }
            (Request::Renew, Reply::Renewed(Renewal::Lost)) => {
                self.memory.count("lost");
                self.begin_life(at);
            }
            (Request::Claim { .. }, Reply::Jobs(jobs)) => {
                let pause = if jobs.is_empty() { POLL } else { 1 };
                for job in jobs {
                    self.execute(at, job);
                }
                self.later(at, pause, What::Claim);
            }
            (Request::ReleaseOthers { .. }, Reply::Released) => {
                self.workers[at].released_at = self.now;
                self.later(at, 0, What::Claim);
            }
            (Request::Complete { .. }, Reply::Written(written)) => {
                self.workers[at].writing.clear();
                self.workers[at].is_writing = false;
                for answer in written {
                    if let Written::Next(job) = answer {
                        self.execute(at, *job);
                    }
                }
                self.write(at);
            }
            (Request::Reload { .. }, Reply::Jobs(leased)) => {
                self.memory.count("settled");
                let leased: HashSet<_> = leased.iter().map(as_claimed).collect();
                self.workers[at].writing.retain(|completion| was_certainly_not_written(completion, &leased));
                self.try_write(at);
            }
            (Request::Register, Reply::NoAnswer) => self.later(at, 100, What::Register),
            (Request::Renew, Reply::NoAnswer) => self.later(at, 50, What::Renew),
            (Request::Claim { .. } | Request::ReleaseOthers { .. }, Reply::NoAnswer) => {
                self.later(at, 100, What::Claim);
            }
            (Request::Complete { .. } | Request::Reload { .. }, Reply::NoAnswer) => {
                self.later(at, 100, What::Settle);
            }
            (request, reply) => unreachable!("{request:?} is answered with {reply:?}"),
        }
    }

    pub(super) fn claim(&mut self, at: usize) {
        let worker = &self.workers[at];
        if self.now - worker.released_at > BETWEEN_RELEASES {
            let in_hand = worker.executions.iter().map(|execution| execution.job.instance);
            let unwritten =
                worker.finished.iter().chain(&worker.writing).map(|completion| completion.job.instance);
            let in_hand = in_hand.chain(unwritten).collect();
            return self.ask(at, Request::ReleaseOthers { in_hand });
        }
        let busy = worker.executions.len() + worker.finished.len() + worker.writing.len();
        match SLOTS.saturating_sub(busy) {
            0 => self.later(at, POLL, What::Claim),
            limit => self.ask(at, Request::Claim { limit }),
        }
    }

    fn execute(&mut self, at: usize, job: LeasedJob) {
        let id = self.next_number();
        self.workers[at].executions.push(Execution { id, job });
        let takes = self.chance(1..400);
        self.later(at, takes / 4, What::Begin(id));
    }

    /// A side effect begins while the lease certainly holds, else when it does again.
    pub(super) fn begin(&mut self, at: usize, id: u64) {
        let worker = &self.workers[at];
        let since = Duration::from_millis(u64::try_from(self.now - worker.renewed_at).expect("time goes on"));
        if !certainly_holds(since, Duration::from_millis(u64::try_from(LEASE).expect("it is positive"))) {
            self.memory.count("abandoned");
            return self.later(at, 50, What::Begin(id));
        }
        let Some(execution) = worker.executions.iter().find(|execution| execution.id == id) else { return };
        let job = execution.job.clone();
        self.effect(&job);
        let takes = self.chance(1..300);
        self.later(at, takes, What::Finish(id));
    }

    pub(super) fn finish(&mut self, at: usize, id: u64) {
        let executions = &mut self.workers[at].executions;
        let Some(found) = executions.iter().position(|execution| execution.id == id) else { return };
        let job = executions.swap_remove(found).job;
        let graph = self.memory.instances[&job.instance].graph.clone();
        let outcome = self.outcome(&graph, &job);
        let keep = self.chance(0..10) > 0;
        let job = Arc::new(job);
        let completion = Completion { job, graph, outcome, keep, steps: Steps::default(), attempt: None };
        self.workers[at].finished.push(completion);
        self.write(at);
    }

    fn write(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        if worker.is_writing || worker.finished.is_empty() {
            return;
        }
        worker.writing = std::mem::take(&mut worker.finished);
        self.try_write(at);
    }

    fn try_write(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.is_writing = !worker.writing.is_empty();
        if worker.is_writing {
            let batch = worker.writing.clone();
            self.ask(at, Request::Complete { batch });
        } else {
            self.write(at);
        }
    }

    /// Nobody said what became of the batch. Nothing is repeated blindly.
    pub(super) fn settle(&mut self, at: usize) {
        if self.repeats_blindly() {
            return self.try_write(at);
        }
        let instances = self.workers[at].writing.iter().map(|completion| completion.job.instance).collect();
        self.ask(at, Request::Reload { instances });
    }
}
