//! The store in memory. Each method is a transaction of the real one, with the conditions of its statements: what is
//! written and when it is refused is modelled, what is decided is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use trunkline_store::jobs::LeasedJob;
use trunkline_store::transitions::{Completion, Written};
use trunkline_store::waits::Resume;
use trunkline_store::workers::{Incarnation, Renewal};
use trunkline_workflow::advance::{NewPath, ParkedFor, Then, Transition, advance, cancel};
use trunkline_workflow::control::{Command, control};
use trunkline_workflow::path::{Path, Place, View};
use trunkline_workflow::{AccountId, Graph, InstanceId, InstanceStatus, StepStatus};
use uuid::Uuid;

use super::Bug;
use super::tables::{Event, Instance, Job, Time, Wait, WaitKind, Worker, due, event_text};

type Key = (InstanceId, i32);

pub(super) struct Memory {
    bug: Bug,
    /// The database's clock, which may jump.
    pub(super) clock: Time,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) jobs: BTreeMap<Key, Job>,
    pub(super) waits: BTreeMap<Key, Wait>,
    /// Numbers of finished jobs.
    pub(super) log: BTreeMap<InstanceId, Vec<(i32, StepStatus)>>,
    pub(super) events: Vec<Event>,
    pub(super) workers: BTreeMap<i64, Worker>,
    /// What has been started under an idempotency key.
    pub(super) started: BTreeMap<u32, InstanceId>,
    /// What was changed since the last check.
    touched: BTreeSet<InstanceId>,
    /// The first thing that was not as it must be.
    broken: Option<String>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl Memory {
    pub(super) fn new(bug: Bug) -> Self {
        Self {
            bug,
            clock: 1_000_000,
            instances: BTreeMap::new(),
            jobs: BTreeMap::new(),
            waits: BTreeMap::new(),
            log: BTreeMap::new(),
            events: Vec::new(),
            workers: BTreeMap::new(),
            started: BTreeMap::new(),
            touched: BTreeSet::new(),
            broken: None,
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_insert(0) += 1;
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    pub(super) fn register(&mut self, lease: Time) -> Incarnation {
        let id = i64::try_from(self.workers.len()).unwrap() + 1;
        self.workers.insert(id, Worker { leased_until: self.clock + lease, lost: false });
        Incarnation(id)
    }

    pub(super) fn renew(&mut self, worker: Incarnation, lease: Time) -> Renewal {
        let clock = self.clock;
        match self.workers.get_mut(&worker.0).filter(|row| !row.lost) {
            Some(row) => {
                row.leased_until = clock + lease;
                Renewal::Renewed { draining: false }
            }
            None => Renewal::Lost,
        }
    }

    pub(super) fn rescue(&mut self) {
        let clock = self.clock;
        for worker in self.workers.values_mut() {
            worker.lost |= worker.leased_until < clock;
        }
        if self.bug == Bug::NoRescue {
            return;
        }
        let lost: BTreeSet<i64> =
            self.workers.iter().filter(|(_, worker)| worker.lost).map(|(id, _)| *id).collect();
        let mut rescued = 0;
        for job in
            self.jobs.values_mut().filter(|job| job.worker.is_some_and(|worker| lost.contains(&worker)))
        {
            job.worker = None;
            job.ready_at = clock;
            job.resume.get_or_insert_with(|| Resume::Interrupted.to_text());
            rescued += 1;
        }
        if rescued > 0 {
            self.count("rescued");
        }
    }

    pub(super) fn release_others(&mut self, worker: Incarnation, in_hand: &BTreeSet<InstanceId>) {
        let mut released = false;
        for ((instance, _), job) in &mut self.jobs {
            if job.worker == Some(worker.0) && !in_hand.contains(instance) {
                job.worker = None;
                job.ready_at = self.clock;
                released = true;
            }
        }
        if released {
            self.count("given back");
        }
    }

    pub(super) fn claim(&mut self, worker: Incarnation, limit: usize) -> Vec<LeasedJob> {
        if self.workers[&worker.0].lost {
            return Vec::new();
        }
        let is_ready =
            |job: &Job| job.worker.is_none() && !job.queued && (!job.held || self.bug == Bug::NotHeld);
        let mut ready: Vec<(Time, Key)> = self
            .jobs
            .iter()
            .filter(|(_, job)| is_ready(job))
            .map(|(key, job)| (job.ready_at, *key))
            .collect();
        ready.sort_unstable();
        ready.truncate(limit);
        for (_, key) in &ready {
            let clock = self.clock;
            let job = self.jobs.get_mut(key).unwrap();
            job.worker = Some(worker.0);
            job.attempt += 1;
            job.started_at.get_or_insert(clock);
            let held = job.held;
            self.touched.insert(key.0);
            if held || self.instances[&key.0].status == InstanceStatus::Suspended {
                self.breaks(format!("a held job of {} is claimed", key.0));
            }
            if self.instances[&key.0].terminated {
                self.breaks(format!("I10: a job of {} is claimed after it was terminated", key.0));
            }
        }
        ready.iter().map(|(_, key)| self.leased(*key)).collect()
    }

    pub(super) fn reload(&mut self, worker: Incarnation, instances: &BTreeSet<InstanceId>) -> Vec<LeasedJob> {
        let mine = |(key, job): &(&Key, &Job)| job.worker == Some(worker.0) && instances.contains(&key.0);
        let keys: Vec<Key> = self.jobs.iter().filter(mine).map(|(key, _)| *key).collect();
        keys.into_iter().map(|key| self.leased(key)).collect()
    }

    fn leased(&self, key: Key) -> LeasedJob {
        let job = &self.jobs[&key];
        LeasedJob {
            instance: key.0,
            account: AccountId::new("acme"),
            definition: Uuid::nil(),
            version: 1,
            path: Self::path(key.1, job),
            issued: job.issued,
            alone: job.alone,
            resume: job.resume.clone(),
            data: None,
            instance_started_at: at(0),
            waited: Duration::ZERO,
            trace: None,
        }
    }

    fn path(path: i32, job: &Job) -> Path {
        Path {
            path,
            n: job.n,
            step: job.step,
            scope: job.scope,
            place: if job.queued { Place::Queued } else { Place::Active },
            attempt: job.attempt,
            started_at: job.started_at.map(at),
        }
    }

    /// A batch: first as if each path were alone, then what did not fit under the lock of its instance.
    pub(super) fn complete(&mut self, worker: Incarnation, batch: &[Completion]) -> Vec<Written> {
        let mut answers = Vec::new();
        for completion in batch {
            let job = &completion.job;
            let key = (job.instance, job.path.path);
            let row = self.jobs.get(&key).cloned();
            let is_mine = |row: &&Job| {
                (self.bug == Bug::NoFence || row.worker == Some(worker.0))
                    && (self.bug == Bug::Twice || row.n == job.path.n)
            };
            let Some(row) = row.as_ref().filter(is_mine) else {
                self.count("refused");
                answers.push(Written::Refused);
                continue;
            };
            if self.workers[&worker.0].lost {
                self.breaks(format!(
                    "I6: worker {} wrote {} after it was declared lost",
                    worker.0, job.instance
                ));
            }
            if row.worker != Some(worker.0) {
                self.breaks(format!("I6: worker {} wrote a job of {:?}", worker.0, row.worker));
            }
            let is_fast = job.alone && row.alone && !row.held;
            let view = if is_fast {
                View::alone(job.issued)
            } else {
                View {
                    issued: self.instances[&key.0].issued.max(row.issued).max(job.issued),
                    others: self.others(key),
                }
            };
            let transition = advance(&completion.graph, &view, &job.path, completion.outcome.clone());
            answers.push(self.write(worker, completion, transition));
        }
        answers
    }

    fn others(&self, (instance, own): Key) -> Vec<Path> {
        let jobs = self.jobs.range((instance, i32::MIN)..=(instance, i32::MAX));
        let jobs = jobs.filter(|((_, path), _)| *path != own).map(|((_, path), job)| Self::path(*path, job));
        let waits = self.waits.range((instance, i32::MIN)..=(instance, i32::MAX));
        let waits = waits.filter(|((_, path), _)| *path != own).map(|((_, path), wait)| Path {
            path: *path,
            n: wait.n,
            step: wait.step,
            scope: wait.scope,
            place: if wait.kind == WaitKind::Body { Place::Open } else { Place::Parked },
            attempt: wait.attempt,
            started_at: Some(at(wait.started_at)),
        });
        jobs.chain(waits).collect()
    }

    fn write(&mut self, worker: Incarnation, completion: &Completion, transition: Transition) -> Written {
        let job = &completion.job;
        let id = job.instance;
        let held = self.instances[&id].status == InstanceStatus::Suspended;
        let (issued, alone, clock) = (transition.issued, transition.alone, self.clock);
        self.touched.insert(id);
        self.log.entry(id).or_default().extend(transition.log.iter().map(|entry| (entry.n, entry.status)));
        self.jobs.remove(&(id, transition.path));
        for path in &transition.cancelled {
            self.jobs.remove(&(id, *path));
            self.waits.remove(&(id, *path));
        }
        let mut ready = false;
        if let Some(job) = transition.woken.and_then(|path| self.jobs.get_mut(&(id, path))) {
            (job.queued, job.alone, job.issued, job.ready_at) = (false, alone, issued, clock);
            ready = true;
        }
        if let Some(closed) = transition.closed {
            self.count("closed");
            let wait = self.waits.remove(&(id, closed.path)).expect("the If of a body is open");
            let resume = Some(Resume::BodiesEnded.to_text());
            let mut job = job_of(&wait, clock);
            (job.issued, job.alone, job.queued, job.held, job.resume) =
                (issued, alone, closed.queued, held, resume);
            ready |= !closed.queued;
            self.jobs.insert((id, closed.path), job);
        }
        let mut mine = None;
        let mut place = |memory: &mut Self, next: NewPath| {
            let is_mine = !next.queued && !held && completion.keep;
            let row = Job {
                n: next.n,
                step: next.step,
                scope: next.scope,
                issued,
                attempt: i32::from(is_mine),
                alone,
                queued: next.queued,
                held,
                worker: is_mine.then_some(worker.0),
                resume: None,
                started_at: is_mine.then_some(clock),
                ready_at: clock,
            };
            if is_mine {
                mine = Some((id, next.path));
            }
            ready |= !next.queued;
            memory.jobs.insert((id, next.path), row);
        };
        match transition.then {
            Then::Continues(next) => {
                self.count("continued");
                place(self, next);
            }
            Then::Ends => {}
            Then::Parked(parked) => {
                let started_at = parked.started_at.timestamp_millis();
                let (kind, key, after, from) = match parked.kind {
                    ParkedFor::Time(after) => (WaitKind::Timer, None, Some(after), started_at),
                    ParkedFor::Event { awaited, timeout } => {
                        (WaitKind::Event, Some(awaited.key), Some(timeout), started_at)
                    }
                    ParkedFor::Retry { after, .. } => (WaitKind::Retry, None, Some(after), clock),
                    ParkedFor::Bodies => (WaitKind::Body, None, None, started_at),
                };
                let wait = Wait {
                    n: transition.n,
                    step: parked.step,
                    scope: parked.scope,
                    issued,
                    attempt: parked.attempt,
                    kind,
                    key,
                    due_at: after.map(|after| from + i64::try_from(after.as_millis()).unwrap()),
                    started_at,
                    resume: job.resume.clone().filter(|_| kind == WaitKind::Retry),
                };
                self.waits.insert((id, transition.path), wait);
            }
        }
        if !transition.forked.is_empty() {
            self.count("forked");
        }
        for fork in transition.forked {
            place(self, fork);
        }
        let instance = self.instances.get_mut(&id).unwrap();
        instance.issued = issued;
        if let Some(status) = transition.ended {
            (instance.status, instance.ended) = (status, true);
            self.count(if status == InstanceStatus::Complete { "complete" } else { "failed" });
        }
        ready |= self.look_back((id, transition.path));
        match mine {
            Some(key) => Written::Next(Box::new(self.leased(key))),
            None => Written::Done { ready: ready && !held, ended: None },
        }
    }

    /// A wait that was just written takes an event that was faster.
    fn look_back(&mut self, key: Key) -> bool {
        let Some(wanted) = self.waits.get(&key).and_then(|wait| wait.key.clone()) else { return false };
        let found = self.events.iter().position(|event| event.key == wanted && event.used_by.is_none());
        let Some(found) = found.filter(|_| self.bug != Bug::NoLookBack) else { return false };
        self.count("looked back");
        self.take_event(found, key);
        true
    }

    fn take_event(&mut self, event: usize, (instance, path): Key) {
        let wait = &self.waits[&(instance, path)];
        let by = (instance, wait.n);
        self.events[event].used_by = Some(by);
        let id = self.events[event].id;
        if self.events.iter().filter(|other| other.id == id && other.used_by.is_some()).count() > 1 {
            self.breaks(format!("event {id} resumed something twice"));
        }
        self.resume(&[((instance, path), Some(event_text(id)))]);
    }

    /// Something came in: written down once, and whoever waits for it goes on.
    pub(super) fn event(&mut self, id: u32, key: &str) {
        if self.events.iter().any(|event| event.id == id) && self.bug != Bug::EventTwice {
            self.count("event repeated");
            return;
        }
        self.events.push(Event { id, key: key.to_owned(), used_by: None });
        let waiting =
            self.waits.iter().find(|(_, wait)| wait.key.as_deref() == Some(key)).map(|(key, _)| *key);
        if let Some(waiting) = waiting {
            self.count("resumed by event");
            self.take_event(self.events.len() - 1, waiting);
        }
    }

    pub(super) fn release_due(&mut self) {
        let early = if self.bug == Bug::Early { 700 } else { 0 };
        let is_due = |wait: &Wait| wait.due_at.is_some_and(|due| due <= self.clock + early);
        let found: Vec<(Key, Wait)> = self
            .waits
            .iter()
            .filter(|(_, wait)| is_due(wait))
            .map(|(key, wait)| (*key, wait.clone()))
            .collect();
        for (key, wait) in &found {
            self.count(if wait.kind == WaitKind::Retry { "released" } else { "due" });
            if wait.due_at > Some(self.clock) {
                self.breaks(format!("I8: a wait of {} ended before its time", key.0));
            }
            let came = |event: &Event| event.used_by.is_none() && Some(&event.key) == wait.key.as_ref();
            if self.events.iter().any(came) {
                self.breaks(format!("an event for {} came, and its wait ended without it", key.0));
            }
        }
        let endings: Vec<(Key, Option<String>)> =
            found.into_iter().map(|(key, wait)| (key, (wait.kind != WaitKind::Retry).then(due))).collect();
        self.resume(&endings);
    }

    /// Waits become jobs.
    fn resume(&mut self, endings: &[(Key, Option<String>)]) {
        let ended: Vec<(Key, Wait, Option<String>)> = endings
            .iter()
            .filter_map(|(key, resume)| Some((*key, self.waits.remove(key)?, resume.clone())))
            .collect();
        let mut rows = Vec::new();
        for ((id, path), wait, resume) in &ended {
            let siblings = ended.iter().filter(|((other, _), ..)| other == id);
            let has_job = self.jobs.keys().any(|(other, _)| other == id);
            let is_first = siblings.clone().all(|(_, other, _)| wait.n <= other.n);
            let has_wait = self.waits.keys().any(|(other, _)| other == id);
            let instance = &self.instances[id];
            let is_retry = wait.kind == WaitKind::Retry;
            let mut job = job_of(wait, self.clock);
            job.issued = wait.issued.max(instance.issued);
            job.attempt = if is_retry { wait.attempt } else { 0 };
            job.alone = siblings.count() == 1 && !has_job && !has_wait;
            job.queued = has_job || !is_first;
            job.held = instance.status == InstanceStatus::Suspended;
            job.resume = if is_retry { wait.resume.clone() } else { resume.clone() };
            rows.push(((*id, *path), job));
            self.touched.insert(*id);
        }
        self.jobs.extend(rows);
    }

    /// Once per idempotency key.
    pub(super) fn start(&mut self, key: u32, graph: &Arc<Graph>) -> InstanceId {
        if let Some(started) = self.started.get(&key)
            && self.bug != Bug::StartTwice
        {
            return *started;
        }
        let id = InstanceId::from_parts(0, [0; 5], u32::try_from(self.instances.len()).unwrap());
        let instance = Instance {
            graph: graph.clone(),
            status: InstanceStatus::Runnable,
            issued: 1,
            ended: false,
            terminated: false,
        };
        self.instances.insert(id, instance);
        let job = Job {
            n: 1,
            step: 0,
            scope: None,
            issued: 1,
            attempt: 0,
            alone: true,
            queued: false,
            held: false,
            worker: None,
            resume: None,
            started_at: None,
            ready_at: self.clock,
        };
        self.jobs.insert((id, 1), job);
        self.touched.insert(id);
        if self.started.insert(key, id).is_some() {
            self.breaks(format!("I1: what was asked for once, as {key}, is started twice"));
        }
        id
    }

    pub(super) fn control(&mut self, id: InstanceId, command: Command) {
        let Some(next) = control(self.instances[&id].status, command) else { return };
        self.count(command.as_str());
        self.touched.insert(id);
        match command {
            Command::Suspend | Command::Resume => {
                for ((instance, _), job) in &mut self.jobs {
                    if *instance == id {
                        job.held = command == Command::Suspend;
                        job.ready_at = self.clock;
                    }
                }
            }
            Command::Terminate => {
                let paths = self.others((id, i32::MIN));
                let entries = cancel(&self.instances[&id].graph, &paths);
                self.log.entry(id).or_default().extend(entries.iter().map(|entry| (entry.n, entry.status)));
                self.jobs.retain(|(instance, _), _| *instance != id);
                if self.bug != Bug::HalfTerminated {
                    self.waits.retain(|(instance, _), _| *instance != id);
                }
            }
        }
        let instance = self.instances.get_mut(&id).unwrap();
        instance.status = next;
        (instance.ended, instance.terminated) =
            (next.is_final(), instance.terminated || next == InstanceStatus::Terminated);
    }

    /// Whether the rows are as `trunkline verify` wants them, and nothing happened that must not.
    pub(super) fn check(&mut self) -> Result<(), String> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        for id in std::mem::take(&mut self.touched) {
            self.check_instance(id)?;
        }
        for (key, job) in &self.jobs {
            if job.worker.is_some_and(|worker| self.workers[&worker].lost) {
                return Err(format!("I3: a job of {} is leased to a worker that is lost", key.0));
            }
        }
        Ok(())
    }

    fn check_instance(&self, id: InstanceId) -> Result<(), String> {
        let instance = &self.instances[&id];
        let of_instance = (id, i32::MIN)..=(id, i32::MAX);
        let jobs: Vec<&Job> = self.jobs.range(of_instance.clone()).map(|(_, job)| job).collect();
        let waits: Vec<&Wait> = self.waits.range(of_instance).map(|(_, wait)| wait).collect();
        let logged = self.log.get(&id).into_iter().flatten().map(|(n, _)| *n);
        let open = jobs.iter().map(|job| job.n).chain(waits.iter().map(|wait| wait.n));
        let mut numbers: Vec<i32> = logged.chain(open).collect();
        numbers.sort_unstable();
        let is_suspended = instance.status == InstanceStatus::Suspended;
        let mut scopes =
            jobs.iter().filter_map(|job| job.scope).chain(waits.iter().filter_map(|wait| wait.scope));
        let is_open = |scope| self.waits.get(&(id, scope)).is_some_and(|open| open.kind == WaitKind::Body);
        let rules = [
            (instance.ended && jobs.len() + waits.len() > 0, "I10: it has ended and has jobs or waits"),
            (!instance.ended && jobs.len() + waits.len() == 0, "I3: it lives and has neither job nor wait"),
            (!numbers.iter().copied().eq(1..=as_int(numbers.len())), "I2: each job is there or logged, once"),
            (jobs.iter().filter(|job| !job.queued).count() > 1, "more than one path is at work"),
            (!jobs.is_empty() && jobs.iter().all(|job| job.queued), "all of its paths are queued"),
            (
                jobs.iter().any(|job| job.alone) && jobs.len() + waits.len() > 1,
                "a path is alone among others",
            ),
            (
                jobs.iter().any(|job| job.held != is_suspended),
                "its jobs are held, or not, against its status",
            ),
            (scopes.any(|scope| !is_open(scope)), "a path is in a body whose If is not open"),
        ];
        match rules.iter().find(|(is_broken, _)| *is_broken) {
            Some((_, rule)) => Err(format!("{rule}: {id}, {numbers:?}, {jobs:?}, {waits:?}")),
            None => Ok(()),
        }
    }
}

fn as_int(count: usize) -> i32 {
    i32::try_from(count).expect("few")
}

fn job_of(wait: &Wait, clock: Time) -> Job {
    Job {
        n: wait.n,
        step: wait.step,
        scope: wait.scope,
        issued: wait.issued,
        attempt: 0,
        alone: false,
        queued: false,
        held: false,
        worker: None,
        resume: None,
        started_at: Some(wait.started_at),
        ready_at: clock,
    }
}

pub(super) fn at(time: Time) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(time).expect("a time of this simulation")
}
