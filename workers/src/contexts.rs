//! The contexts of the instances in a worker's hands. A small one comes with the claim. A large one is read when its step
//! begins and there is room for it, because in memory it may be a hundred times as large as its text: so a thousand of
//! them wait for each other, instead of taking more memory than there is.

use std::mem;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use trunkline_store::jobs::LeasedJob;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::{Outcome, context};

use crate::aside::Aside;
use crate::lease::{Backoff, Lease};

/// Of all large contexts of a worker together, KiB of memory.
const ROOM: u32 = 192 << 10;
/// KiB of memory that every slot has beside it. The text of most of them comes with the claim.
const SMALL: u32 = 64;
/// KiB of what is to be written of long outcomes, and of those that are not long. A thousand of a MiB would be as many MiB
/// while PostgreSQL takes them one by one.
const TO_WRITE: u32 = 64 << 10;
const SHORT_OUTCOME: u32 = 16;
/// KiB of memory from which on it takes long to read, to copy and to free a context: half a millisecond.
const LONG: u32 = 1 << 10;
/// Texts of a MiB that wait for room.
const READ: usize = 32;

/// What a job knows of its instance's context.
#[derive(Debug, Clone)]
pub(crate) enum Context {
    Here(Here),
    /// To be read once there is room for it.
    Large,
    /// What the step faults with: a context that cannot be read must never be replaced by an empty one.
    Unreadable(String),
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Here(Arc<Values>);

#[derive(Debug)]
struct Values {
    map: Map<String, Value>,
    /// Of a large one.
    share: Option<Share>,
}

/// What a large context has while somebody has it in hand.
#[derive(Debug)]
struct Share {
    room: Arc<OwnedSemaphorePermit>,
    /// Where it is read, copied and freed, if that takes long.
    aside: Option<Aside>,
}

/// Why a step does not begin.
#[derive(Debug)]
pub(crate) enum NotHere {
    /// What becomes of it instead.
    Outcome(Outcome),
    /// The worker is no longer believed.
    Lost,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Contexts {
    store: Store,
    draining: watch::Receiver<bool>,
    reads: Arc<Semaphore>,
    room: Arc<Semaphore>,
    to_write: Arc<Semaphore>,
    aside: Aside,
}

impl Deref for Here {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0.map
    }
}

/// To free half a million values takes tens of milliseconds.
impl Drop for Values {
    fn drop(&mut self) {
        if let Some(Share { room, aside: Some(aside) }) = self.share.take() {
            let map = mem::take(&mut self.map);
            aside.later(move || drop((map, room)));
        }
    }
}

impl Here {
    fn new(map: Map<String, Value>, share: Option<Share>) -> Self {
        Self(Arc::new(Values { map, share }))
    }

    fn room(&self) -> Option<&Arc<OwnedSemaphorePermit>> {
        self.0.share.as_ref().map(|share| &share.room)
    }

    /// Where it keeps nobody else waiting.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        compute: impl FnOnce(&Map<String, Value>) -> T + Send + 'static,
    ) -> T {
        let Some(Share { aside: Some(aside), .. }) = &self.0.share else { return compute(self) };
        let here = self.clone();
        aside.run(move || compute(&here)).await
    }
}

impl Context {
    /// As the claim brought it.
    pub(crate) fn of_claimed(job: &LeasedJob) -> Self {
        match &job.data {
            None => Self::Large,
            Some(text) if memory(text) > SMALL => Self::Large,
            Some(text) => match parse(text) {
                Ok(map) => Self::Here(Here::new(map, None)),
                Err(message) => Self::Unreadable(message),
            },
        }
    }

    pub(crate) fn is_large(&self) -> bool {
        match self {
            Self::Here(here) => here.room().is_some(),
            Self::Large => true,
            Self::Unreadable(_) => false,
        }
    }
}

impl Contexts {
    pub(crate) fn new(store: Store, draining: watch::Receiver<bool>) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        Self {
            store,
            draining,
            reads: semaphore(READ),
            room: semaphore(ROOM as usize),
            to_write: semaphore(TO_WRITE as usize),
            aside: Aside::start(),
        }
    }

    /// Waits for room, and for the database.
    pub(crate) async fn get(
        &self,
        context: &Context,
        job: &LeasedJob,
        lease: &Lease,
    ) -> Result<Here, NotHere> {
        match context {
            Context::Here(here) => Ok(here.clone()),
            Context::Unreadable(message) => Err(failed(message.clone())),
            // Boxed, because hardly any step reads.
            Context::Large => Box::pin(self.read_unless_over(job, lease)).await,
        }
    }

    async fn read_unless_over(&self, job: &LeasedJob, lease: &Lease) -> Result<Here, NotHere> {
        let mut draining = self.draining.clone();
        tokio::select! {
            biased;
            () = lease.until_lost() => Err(NotHere::Lost),
            // Nothing of the step has begun: another worker may have it.
            _ = draining.wait_for(|draining| *draining) => Err(NotHere::Outcome(Outcome::Postponed {
                after: Duration::ZERO,
                message: "Its worker was stopped before there was room for its context.".to_owned(),
            })),
            read = self.read(job) => read,
        }
    }

    async fn read(&self, job: &LeasedJob) -> Result<Here, NotHere> {
        let reading = self.reads.acquire().await.expect("it is never closed");
        let text = self.ask(job, || self.store.context_of(job.instance)).await?;
        let text = text.ok_or_else(|| failed(unreadable(&"its instance was removed")))?;
        // It may grow by an eighth before it has to be read again.
        let needed = (memory(&text) / 8 * 9 + 1).min(ROOM);
        let room = self.room.clone().acquire_many_owned(needed).await.expect("it is never closed");
        drop(reading);
        let share = self.share(Arc::new(room));
        let here = match share.aside.clone() {
            Some(aside) => aside.run(move || Ok(Here::new(parse(&text)?, Some(share)))).await,
            None => parse(&text).map(|map| Here::new(map, Some(share))),
        };
        here.map_err(failed)
    }

    /// Until the database answers.
    async fn ask<T, F>(&self, job: &LeasedJob, ask: impl Fn() -> F) -> Result<T, NotHere>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = Backoff::default();
        loop {
            match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) if !error.may_pass() => {
                    tracing::error!(error = %error, instance.id = %job.instance, "a context cannot be read");
                    return Err(failed(unreadable(&error)));
                }
                Err(error) => {
                    pause.report(&error, "cannot read a context; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// For a long outcome, until it is written.
    pub(crate) async fn room_to_write(&self, outcome: &Outcome) -> Option<OwnedSemaphorePermit> {
        let kibibytes = u32::try_from(outcome.bytes() >> 10).map_or(TO_WRITE, |needed| needed.min(TO_WRITE));
        if kibibytes <= SHORT_OUTCOME {
            return None;
        }
        Some(self.to_write.clone().acquire_many_owned(kibibytes).await.expect("it is never closed"))
    }

    /// What the next step on the path begins with: what was changed, if it was. If there is no room for it, or others
    /// wait for the room that it has, that one reads it again.
    pub(crate) fn after(
        &self,
        before: Here,
        outcome: &Outcome,
        changed: Option<Map<String, Value>>,
    ) -> Context {
        let room = before.room();
        let is_wanted = self.room.available_permits() == 0;
        let (Outcome::Completed { data: Some(text), .. }, Some(map)) = (outcome, changed) else {
            return if room.is_some() && is_wanted { Context::Large } else { Context::Here(before) };
        };
        let needed = memory(text);
        if needed <= SMALL {
            return Context::Here(Here::new(map, None));
        }
        let room = match room {
            Some(_) if is_wanted => None,
            Some(room) if room.num_permits() >= needed as usize => Some(room.clone()),
            _ => self.room.clone().try_acquire_many_owned(needed).ok().map(Arc::new),
        };
        if let Some(room) = room {
            return Context::Here(Here::new(map, Some(self.share(room))));
        }
        self.aside.later(move || drop(map));
        Context::Large
    }

    fn share(&self, room: Arc<OwnedSemaphorePermit>) -> Share {
        let takes_long = room.num_permits() >= LONG as usize;
        Share { room, aside: takes_long.then(|| self.aside.clone()) }
    }
}

fn parse(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| unreadable(&error))
}

fn unreadable(cause: &impl std::fmt::Display) -> String {
    format!("The workflow context cannot be read: {cause}")
}

fn failed(message: String) -> NotHere {
    NotHere::Outcome(Outcome::Failed { message, result: None })
}

/// In KiB. What would take more than all the room has it for itself.
fn memory(text: &str) -> u32 {
    let kibibytes = context::memory(text.as_bytes()) / 1024 + 1;
    u32::try_from(kibibytes).map_or(ROOM, |kibibytes| kibibytes.min(ROOM))
}
