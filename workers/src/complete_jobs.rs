//! Writes what became of jobs, in batches: while one batch is being written the next one gathers, and an
//! idle worker writes a batch of one at once. What has much to write waits until what has little is written, and is
//! written by one of the completers.
//!
//! When a batch fails, part of it may have been written: a commit that was not answered, the half that was
//! written before the other failed. Nothing is repeated blindly. A job that is leased to us exactly as we
//! claimed it was not written and is repeated; every other one was written or taken away, and is over here.
//! Should its successor be leased to us, the claimer gives it back.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::{self, Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, watch};
use trunkline_store::jobs::{self, LeasedJob};
use trunkline_store::pools::Steps;
use trunkline_store::transitions::{self, Completion, Written};
use trunkline_store::workers::Incarnation;
use trunkline_store::{HotConnection, Store, StoreError};
use trunkline_workflow::{InstanceId, Outcome};

use crate::lease::{Backoff, within};
use crate::measure::{MEASURES, Tally};
use crate::queue::{End, Finished, Held};
use crate::slots::Slots;

/// Jobs written in one transaction at most.
const BATCH: usize = 256;
/// Bytes that a job has to write by which it is large, and that large jobs have together in one transaction, unless one alone
/// has more: PostgreSQL needs ten milliseconds for a MiB, and has it in memory several times.
const LARGE_BYTES: usize = 32 << 10;
const LARGE_BATCH_BYTES: usize = 1 << 20;
/// A batch that takes longer has an unknown fate.
const WRITE_LIMIT: Duration = Duration::from_secs(15);
/// A connection that was not used for longer has to answer before it is given a batch: they all die at once, and a step
/// after the other would find one of them dead, each by that limit.
const SILENT: Duration = Duration::from_secs(1);
/// Jobs in a row on one path before it is given up to whoever claims it: a loop without waits must not
/// keep a slot from others (U-09).
const MAX_STREAK: u32 = 200;
/// The same for the paths of an account that has more slots than others who wait.
const CROWDED_STREAK: u32 = 20;

/// One of the connections that write. Several share the queue of finished jobs.
pub(crate) struct Completer {
    pub(crate) store: Store,
    pub(crate) finished: Arc<Mutex<mpsc::UnboundedReceiver<Finished>>>,
    pub(crate) large: Arc<sync::Mutex<LargeJobs>>,
    pub(crate) jobs: mpsc::WeakUnboundedSender<Held>,
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) slots: Slots,
    pub(crate) steps: Steps,
}

/// A connection, and when it answered last.
type Connection = (HotConnection, Instant);

/// A finished job on its way into the database.
struct Pending {
    held: Held,
    completion: Completion,
    #[expect(dead_code, reason = "held, never looked at")]
    room: Option<OwnedSemaphorePermit>,
}

impl Pending {
    /// What is written, not counting what each has.
    fn bytes(&self) -> usize {
        let detail = self.completion.attempt.as_ref().and_then(|attempt| attempt.detail.as_ref());
        self.completion.outcome.bytes() + detail.map_or(0, String::len)
    }
}

/// Finished jobs that have much to write. One completer at a time writes them, so that another one is there for the rest.
#[derive(Default)]
pub(crate) struct LargeJobs {
    waiting: VecDeque<Pending>,
    is_being_written: bool,
}

impl LargeJobs {
    /// Whether it is for who added them to write them.
    fn add(&mut self, more: Vec<Pending>) -> bool {
        self.waiting.extend(more);
        !mem::replace(&mut self.is_being_written, true)
    }

    /// The first of them, of one life, as many as one transaction has; none: somebody else may write the next ones.
    fn take(&mut self) -> Vec<Pending> {
        let Some(first) = self.waiting.front() else {
            self.is_being_written = false;
            return Vec::new();
        };
        let incarnation = first.held.lease.incarnation;
        let mut together = 0;
        let fits = |pending: &&Pending| {
            together += pending.bytes();
            pending.held.lease.incarnation == incarnation && together <= LARGE_BATCH_BYTES
        };
        let count = self.waiting.iter().take_while(fits).count().max(1);
        self.waiting.drain(..count).collect()
    }
}

impl Completer {
    /// Until every sender of finished jobs is gone and the last of them is written.
    pub(crate) async fn run(self) {
        let mut connection: Option<Connection> = None;
        let mut batch = Vec::with_capacity(BATCH);
        let mut writes_large = false;
        loop {
            if !writes_large {
                let received = self.finished.lock().await.recv_many(&mut batch, BATCH).await;
                if received == 0 {
                    return;
                }
            } else if let Ok(mut finished) = self.finished.try_lock() {
                // Else it is the other one who waits for more.
                while batch.len() < BATCH
                    && let Ok(more) = finished.try_recv()
                {
                    batch.push(more);
                }
            }
            let mut tally = Tally::new();
            for finished in &batch {
                tally.add(finished);
            }
            tally.count();
            let left = batch.iter().filter(|finished| matches!(finished.end, End::Abandoned)).count();
            if left > 0 {
                tracing::info!(jobs = left, "steps are left to others");
            }
            let mut lives: HashMap<Incarnation, Vec<Pending>> = HashMap::new();
            let mut large = Vec::new();
            for finished in batch.drain(..) {
                match self.pending(finished) {
                    Some(pending) if pending.bytes() > LARGE_BYTES => large.push(pending),
                    Some(pending) => lives.entry(pending.held.lease.incarnation).or_default().push(pending),
                    None => {}
                }
            }
            if !large.is_empty() {
                writes_large |= self.large().add(large);
            }
            for (incarnation, pending) in lives {
                self.write(&mut connection, incarnation, pending, false).await;
            }
            if !writes_large {
                continue;
            }
            let mut some = self.large().take();
            for pending in &mut some {
                // They may have waited for long.
                pending.completion.keep &= !self.gives_up(&pending.held);
            }
            match some.first() {
                Some(first) => {
                    let incarnation = first.held.lease.incarnation;
                    self.write(&mut connection, incarnation, some, false).await;
                }
                None => writes_large = false,
            }
        }
    }

    fn large(&self) -> MutexGuard<'_, LargeJobs> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a batch of one life until it is settled or that life is over.
    async fn write(
        &self,
        connection: &mut Option<Connection>,
        incarnation: Incarnation,
        mut batch: Vec<Pending>,
        mut unsure: bool,
    ) {
        let mut pause = Backoff::default();
        while !batch.is_empty() {
            let writing = self.try_write(connection, incarnation, &mut batch, unsure);
            let error = match within(WRITE_LIMIT, writing).await {
                Ok(()) => return,
                Err(error) => error,
            };
            unsure = true;
            if error.is_refusal() {
                tracing::error!(error = %cause(&error), jobs = batch.len(), "the database refused a batch");
                // Whatever one job did must not hold the others up.
                if batch.len() > 1 {
                    for pending in batch {
                        Box::pin(self.write(connection, incarnation, vec![pending], true)).await;
                    }
                    return;
                }
                if !give_up(&mut batch[0]) {
                    return;
                }
            } else {
                *connection = None;
                if batch[0].held.lease.is_lost() {
                    tracing::warn!(jobs = batch.len(), worker.id = incarnation.0, "dropped late results");
                    return;
                }
                if !error.is_conflict() {
                    pause.report(&error, "cannot complete jobs; trying again");
                }
                pause.wait().await;
                // It may have been too much for that time.
                if matches!(error, StoreError::NoAnswer) && batch.len() > 1 {
                    let half = batch.split_off(batch.len() / 2);
                    Box::pin(self.write(connection, incarnation, batch, true)).await;
                    batch = half;
                }
            }
        }
    }

    async fn try_write(
        &self,
        connection: &mut Option<Connection>,
        incarnation: Incarnation,
        batch: &mut Vec<Pending>,
        unsure: bool,
    ) -> Result<(), StoreError> {
        if let Some((silent, answered_at)) = connection
            && answered_at.elapsed() > SILENT
            && !silent.answers().await
        {
            *connection = None;
        }
        let (connection, answered_at) = match connection {
            Some(connection) => connection,
            None => connection.insert((self.store.hot_connection().await?, Instant::now())),
        };
        if unsure {
            self.settle(connection, incarnation, batch).await?;
        }
        let completions = batch.iter().map(|pending| pending.completion.clone()).collect();
        let begun = Instant::now();
        let written = transitions::complete(connection, incarnation, completions).await?;
        *answered_at = Instant::now();
        MEASURES.completion_seconds.record(begun.elapsed());
        MEASURES.completion_jobs.record(u32::try_from(written.len()).unwrap_or(u32::MAX));
        let mut ready = false;
        for (pending, written) in batch.drain(..).zip(written) {
            match written {
                Written::Next(job) => self.go_on(pending.held, *job, begun),
                Written::Done { ready: somebody, ended } => {
                    ready |= somebody;
                    if let Some(ended) = ended {
                        MEASURES.ended(&ended);
                    }
                }
                Written::Refused => {
                    MEASURES.completions_refused.increment(1);
                    tracing::warn!(
                        job.id = %pending.held.job.id().as_uuid(),
                        instance.id = %pending.held.job.instance,
                        "refused a late result: the job had been taken away"
                    );
                }
            }
        }
        if ready {
            self.store.wake().hint();
        }
        Ok(())
    }

    /// Keeps of a batch what was certainly not written.
    async fn settle(
        &self,
        connection: &mut HotConnection,
        incarnation: Incarnation,
        batch: &mut Vec<Pending>,
    ) -> Result<(), StoreError> {
        let ids: Vec<InstanceId> = batch.iter().map(|pending| pending.held.job.instance).collect();
        let leased = jobs::reload(connection, incarnation, &ids).await?;
        let leased: HashSet<_> = leased.iter().map(as_claimed).collect();
        let tried = batch.len();
        batch.retain(|pending| was_certainly_not_written(&pending.completion, &leased));
        let settled = tried - batch.len();
        if settled > 0 {
            tracing::info!(
                jobs = settled,
                worker.id = incarnation.0,
                "results are not written again: they had been, or their jobs had been taken away"
            );
        }
        self.store.wake().hint();
        Ok(())
    }

    fn pending(&self, finished: Finished) -> Option<Pending> {
        let Finished { mut held, end, took: _ } = finished;
        let End::Outcome { outcome, graph, context, attempt, room } = end else { return None };
        held.context = context;
        let keep = !self.gives_up(&held) && !self.is_others_turn(&held);
        let completion =
            Completion { job: held.job.clone(), graph, outcome, keep, steps: self.steps.clone(), attempt };
        Some(Pending { held, completion, room })
    }

    fn gives_up(&self, held: &Held) -> bool {
        *self.draining.borrow() || held.lease.is_draining()
    }

    fn is_others_turn(&self, held: &Held) -> bool {
        held.streak >= MAX_STREAK
            || held.streak >= CROWDED_STREAK && self.slots.crowds_others_out(&held.job.account)
    }

    /// `since`: before it was ours.
    fn go_on(&self, held: Held, job: LeasedJob, since: Instant) {
        let next = Held { job: Arc::new(job), since, streak: held.streak + 1, ..held };
        // No frame left to execute it: the lease's end gives it back.
        if let Some(jobs) = self.jobs.upgrade() {
            let _ = jobs.send(next);
        }
    }
}

/// A job as its claim left it.
pub(crate) type AsClaimed = (InstanceId, i32, i32, i32, Option<String>);

pub(crate) fn as_claimed(job: &LeasedJob) -> AsClaimed {
    let path = &job.path;
    (job.instance, path.path, path.n, path.attempt, job.resume.clone())
}

/// Of a completion whose commit nobody answered, by what is leased to us since. Of a postponed job nobody can tell,
/// because it comes back as it went: it is left to be given back.
pub(crate) fn was_certainly_not_written(completion: &Completion, leased: &HashSet<AsClaimed>) -> bool {
    !matches!(completion.outcome, Outcome::Postponed { .. }) && leased.contains(&as_claimed(&completion.job))
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A result that the database does not take becomes a fault; a fault that it does not take goes back to the
/// queue, through the claimer. Answers whether there is something to write.
fn give_up(pending: &mut Pending) -> bool {
    let message = "The result of the step could not be stored.".to_owned();
    if matches!(&pending.completion.outcome, Outcome::Failed { message: said, .. } if *said == message) {
        return false;
    }
    pending.completion.outcome = Outcome::Failed { message, result: None };
    pending.completion.attempt = None;
    true
}
