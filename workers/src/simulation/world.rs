//! Time, chance and the network: who is asked when, what is lost on the way, who dies.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trunkline_store::jobs::LeasedJob;
use trunkline_store::workers::Incarnation;
use trunkline_workflow::control::Command;
use trunkline_workflow::step::StepType;
use trunkline_workflow::{Graph, InstanceId, InstanceStatus, JobId, Outcome};

use super::Bug;
use super::memory::Memory;
use super::steps;
use super::tables::Time;
use super::worker::{LEASE, Reply, Request, Worker};

/// Milliseconds since the beginning, by a clock that nobody has.
pub(super) type Now = i64;

const WORKERS: usize = 3;
const INSTANCES: u32 = 6;
/// How long things go wrong, and how long it may take from then until everything has ended.
const TROUBLE: Now = 12_000;
const RECOVERY: Now = 300_000;
/// After which an answer is not waited for any longer.
const PATIENCE: Now = 700;
/// Lines that are told of a failing seed.
const TOLD: usize = 120;

#[derive(Debug)]
pub(super) enum What {
    Register,
    Renew,
    Claim,
    Begin(u64),
    Finish(u64),
    Settle,
    /// The store does it, whoever asked.
    Commit {
        request: Request,
        incarnation: Incarnation,
        answer_to: To,
        asked_at: Now,
    },
    Answer {
        request: Request,
        reply: Option<Reply>,
        asked_at: Now,
    },
    Crash,
    Restart,
    Pause,
    Start(u32),
    Command(u32),
    Event(u32),
    Rescue,
    ReleaseDue,
    ClockJump,
}

static DEFINITIONS: LazyLock<Vec<Arc<Graph>>> = LazyLock::new(steps::definitions);

/// Whose, if it is a worker's, and in which of its lives.
type To = Option<(usize, u64)>;

pub(super) struct World {
    seed: u64,
    bug: Bug,
    random: StdRng,
    pub(super) now: Now,
    pub(super) memory: Memory,
    pub(super) workers: Vec<Worker>,
    paused_until: Vec<Now>,
    agenda: BinaryHeap<Reverse<(Now, u64)>>,
    what: BTreeMap<u64, (To, What)>,
    number: u64,
    /// Starts that were answered.
    accepted: BTreeMap<u32, InstanceId>,
    /// The key of each effect, by what it is of.
    effects: BTreeMap<(InstanceId, i32), JobId>,
    is_telling: bool,
    story: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64, bug: Bug) -> Self {
        Self {
            seed,
            bug,
            random: StdRng::seed_from_u64(seed),
            now: 0,
            memory: Memory::new(bug),
            workers: (0..WORKERS).map(|_| Worker::default()).collect(),
            paused_until: vec![0; WORKERS],
            agenda: BinaryHeap::new(),
            what: BTreeMap::new(),
            number: 0,
            accepted: BTreeMap::new(),
            effects: BTreeMap::new(),
            is_telling: false,
            story: Vec::new(),
        }
    }

    /// It keeps what happens, to be told.
    pub(super) fn telling(mut self) -> Self {
        self.is_telling = true;
        self
    }

    /// Until everything has ended; the error is what was broken.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for at in 0..WORKERS {
            self.begin_life(at);
            for _ in 0..self.chance(0..3) {
                let when = self.chance(0..TROUBLE);
                let what = if self.random.random_bool(0.5) { What::Crash } else { What::Pause };
                self.after(when, None, what);
            }
        }
        for key in 0..INSTANCES {
            let when = self.chance(0..TROUBLE / 2);
            self.after(when, None, What::Start(key));
            for _ in 0..self.chance(0..3) {
                let when = when + self.chance(0..TROUBLE / 2);
                self.after(when, None, What::Command(key));
            }
            for _ in 0..self.chance(1..4) {
                let when = when + self.chance(0..TROUBLE);
                let id = u32::try_from(self.next_number()).expect("few");
                for _ in 0..self.chance(1..4) {
                    let delay = self.chance(0..500);
                    self.after(when + delay, None, What::Event(id * INSTANCES + key));
                }
            }
        }
        for _ in 0..self.chance(0..3) {
            let when = self.chance(0..TROUBLE);
            self.after(when, None, What::ClockJump);
        }
        self.after(0, None, What::Rescue);
        self.after(0, None, What::ReleaseDue);
        while let Some(Reverse((when, number))) = self.agenda.pop() {
            let (to, what) = self.what.remove(&number).expect("it is on the agenda once");
            self.memory.clock += when - self.now;
            self.now = when;
            if let Some((at, life)) = to {
                if self.workers[at].life != life {
                    continue;
                }
                if self.paused_until[at] > when {
                    self.after(self.paused_until[at] - when, to, what);
                    continue;
                }
            }
            if self.now > TROUBLE && self.is_over() {
                return self.check_end();
            }
            if self.now > TROUBLE + RECOVERY {
                return Err(format!("I3: it does not come to an end: {}", self.left()));
            }
            self.happens(to.map(|(at, _)| at), what);
            self.memory
                .check()
                .map_err(|broken| format!("seed {}, at {} ms: {broken}", self.seed, self.now))?;
        }
        unreachable!("upkeep never ends")
    }

    fn happens(&mut self, at: Option<usize>, what: What) {
        if self.is_telling && !matches!(what, What::Rescue | What::ReleaseDue | What::Claim | What::Renew) {
            let who = at.map_or_else(|| "outside".to_owned(), |at| format!("worker {at}"));
            self.story.push(format!("{:>6} ms  {who}: {}", self.now, describe(&what)));
        }
        let worker = at.unwrap_or_default();
        match what {
            What::Register => self.ask(worker, Request::Register),
            What::Renew => self.ask(worker, Request::Renew),
            What::Claim => self.claim(worker),
            What::Begin(id) => self.begin(worker, id),
            What::Finish(id) => self.finish(worker, id),
            What::Settle => self.settle(worker),
            What::Commit { request, incarnation, answer_to, asked_at } => {
                let reply = self.commit(&request, incarnation);
                if answer_to.is_some() {
                    let delay = self.chance(0..20);
                    self.after(delay, answer_to, What::Answer { request, reply: Some(reply), asked_at });
                }
            }
            What::Answer { request, reply, asked_at } => {
                self.answered(worker, request, reply.unwrap_or(Reply::NoAnswer), asked_at);
            }
            What::Crash => {
                let at = self.any_worker();
                self.memory.count("crash");
                self.workers[at].life += 1;
                let (life, delay) = (self.workers[at].life, self.chance(0..3_000));
                self.after(delay, Some((at, life)), What::Restart);
            }
            What::Restart => self.begin_life(worker),
            What::Pause => {
                let at = self.any_worker();
                self.memory.count("pause");
                self.paused_until[at] = self.now + self.chance(LEASE / 2..3 * LEASE);
            }
            What::Start(key) => self.start(key),
            What::Command(key) => {
                if let Some(id) = self.memory.started.get(&key).copied() {
                    let command = [Command::Suspend, Command::Resume, Command::Suspend, Command::Terminate];
                    let command = command[usize::try_from(self.chance(0..4)).expect("few")];
                    self.memory.control(id, command);
                }
            }
            What::Event(id) => {
                if let Some(instance) = self.memory.started.get(&(id % INSTANCES)).copied() {
                    self.memory.event(id, &format!("reply {instance}"));
                }
            }
            What::Rescue => {
                self.memory.rescue();
                self.after(400, None, What::Rescue);
                self.resume_what_is_suspended();
            }
            What::ReleaseDue => {
                self.memory.release_due();
                let delay = self.chance(10..300);
                self.after(delay, None, What::ReleaseDue);
            }
            What::ClockJump => {
                self.memory.count("clock jump");
                let by: Time = self.chance(-4_000..4_000);
                self.memory.clock += by;
            }
        }
    }

    /// Sends a request on its way.
    pub(super) fn ask(&mut self, at: usize, request: Request) {
        let life = self.workers[at].life;
        let incarnation = self.workers[at].incarnation.unwrap_or(Incarnation(0));
        let asked_at = self.now;
        let fate = if self.now < TROUBLE { self.chance(0..100) } else { 100 };
        let no_answer = What::Answer { request: request.clone(), reply: None, asked_at };
        match fate {
            0..4 => {
                self.memory.count("request lost");
                self.after(PATIENCE, Some((at, life)), no_answer);
            }
            4..10 => {
                // Also long after nobody listens any more.
                self.memory.count(if fate < 7 { "answer lost" } else { "commit late" });
                let delay = if fate < 7 { self.chance(0..PATIENCE) } else { self.chance(PATIENCE..3_000) };
                self.after(delay, None, What::Commit { request, incarnation, answer_to: None, asked_at });
                self.after(PATIENCE, Some((at, life)), no_answer);
            }
            _ => {
                let delay = self.chance(0..30);
                let answer_to = Some((at, life));
                self.after(delay, None, What::Commit { request, incarnation, answer_to, asked_at });
            }
        }
    }

    fn commit(&mut self, request: &Request, incarnation: Incarnation) -> Reply {
        match request {
            Request::Register => Reply::Registered(self.memory.register(LEASE)),
            Request::Renew => Reply::Renewed(self.memory.renew(incarnation, LEASE)),
            Request::Claim { limit } => Reply::Jobs(self.memory.claim(incarnation, *limit)),
            Request::ReleaseOthers { in_hand } => {
                self.memory.release_others(incarnation, in_hand);
                Reply::Released
            }
            Request::Complete { batch } => Reply::Written(self.memory.complete(incarnation, batch)),
            Request::Reload { instances } => Reply::Jobs(self.memory.reload(incarnation, instances)),
        }
    }

    /// A client repeats until it is answered, under one key.
    fn start(&mut self, key: u32) {
        let graph = DEFINITIONS[usize::try_from(key).expect("few") % DEFINITIONS.len()].clone();
        let id = self.memory.start(key, &graph);
        if self.now < TROUBLE && self.random.random_bool(0.2) {
            self.memory.count("start repeated");
            let delay = self.chance(1..1_000);
            self.after(delay, None, What::Start(key));
        } else {
            self.accepted.insert(key, id);
        }
    }

    pub(super) fn effect(&mut self, job: &LeasedJob) {
        let graph = &self.memory.instances[&job.instance].graph;
        if graph.steps[job.path.step].step_type != StepType::HttpRequest {
            return;
        }
        let key = job.id();
        let before = self.effects.insert((job.instance, job.path.n), key);
        self.memory.count(if before.is_some() { "effect repeated" } else { "effect" });
        assert!(before.is_none_or(|before| before == key), "I4: {} had another key", job.instance);
    }

    pub(super) fn outcome(&mut self, graph: &Graph, job: &LeasedJob) -> Outcome {
        steps::outcome(graph, job, &mut self.random)
    }

    pub(super) fn repeats_blindly(&self) -> bool {
        self.bug == Bug::Twice
    }

    pub(super) fn later(&mut self, at: usize, delay: Now, what: What) {
        self.after(delay, Some((at, self.workers[at].life)), what);
    }

    fn after(&mut self, delay: Now, to: To, what: What) {
        let number = self.next_number();
        self.agenda.push(Reverse((self.now + delay, number)));
        self.what.insert(number, (to, what));
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn chance(&mut self, range: Range<i64>) -> i64 {
        self.random.random_range(range)
    }

    fn any_worker(&mut self) -> usize {
        self.random.random_range(0..WORKERS)
    }

    /// When the trouble is over, somebody lets go on what somebody stopped.
    fn resume_what_is_suspended(&mut self) {
        if self.now <= TROUBLE {
            return;
        }
        let suspended =
            self.memory.instances.iter().filter(|(_, instance)| instance.status == InstanceStatus::Suspended);
        let suspended: Vec<InstanceId> = suspended.map(|(id, _)| *id).collect();
        for id in suspended {
            self.memory.control(id, Command::Resume);
        }
    }

    fn is_over(&self) -> bool {
        self.accepted.len() == usize::try_from(INSTANCES).expect("few")
            && self.memory.instances.values().all(|instance| instance.ended)
    }

    fn check_end(&self) -> Result<(), String> {
        let started = &self.memory.started;
        if *started != self.accepted || self.memory.instances.len() != started.len() {
            return Err(format!("I1: accepted {:?}, started {started:?}", self.accepted));
        }
        let keys: std::collections::BTreeSet<_> = self.effects.values().map(|key| key.as_uuid()).collect();
        if keys.len() != self.effects.len() {
            return Err("I4: two steps have one idempotency key".to_owned());
        }
        Ok(())
    }

    fn left(&self) -> String {
        format!("{:?}, {:?}", self.memory.jobs, self.memory.waits)
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.memory.counts.clone()
    }

    pub(super) fn whole_story(&self) -> String {
        self.story.join("\n")
    }

    /// What happened last.
    pub(super) fn told(&self) -> String {
        self.story[self.story.len().saturating_sub(TOLD)..].join("\n")
    }
}

/// Without what a definition looks like.
fn describe(what: &What) -> String {
    match what {
        What::Commit { request: Request::Complete { batch }, incarnation, answer_to, .. } => {
            let outcomes: Vec<String> = batch
                .iter()
                .map(|completion| {
                    let (id, path) = (completion.job.id().as_uuid(), &completion.job.path);
                    format!(
                        "{id} of path {} at attempt {}: {:?}",
                        path.path, path.attempt, completion.outcome
                    )
                })
                .collect();
            format!("commit of {incarnation:?}, answered to {answer_to:?}: {}", outcomes.join("; "))
        }
        What::Answer { request: Request::Complete { .. }, reply, .. } => format!("completed: {reply:?}"),
        other => format!("{other:?}"),
    }
}
