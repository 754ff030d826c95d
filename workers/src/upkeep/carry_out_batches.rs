//! Batches are carried out, each at its rate and in a task of its own: what one of them waits for is not waited for by
//! the others.

mod share;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::task::JoinSet;
use trunkline_store::batches::{Marks, Slot};
use trunkline_store::{Store, StoreError};
use uuid::Uuid;

use super::election::{Election, NOT_ELECTED};
use crate::lease::{Backoff, Lease};
use share::Share;

/// The longest look away: a batch may be made or resumed meanwhile.
const LONGEST: Duration = Duration::from_millis(500);
const SHORTEST: Duration = Duration::from_millis(1);
/// A batch that cannot go on is tried again after that.
const ASIDE: Duration = Duration::from_secs(5);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut election = Election::new(store, lease, "carry_out_batches");
    let mut under_way = UnderWay::new(store);
    loop {
        let result = async {
            if !election.is_won().await? {
                return Ok(NOT_ELECTED);
            }
            under_way.look(store).await
        };
        let result = match result.await {
            Ok(wait) => under_way.wait(wait).await,
            failed => failed.map(drop),
        };
        match result {
            Ok(()) => pause = Backoff::default(),
            Err(error) => {
                election.forget();
                under_way.give_up().await;
                pause.report(&error, "cannot carry out batches; trying again");
                pause.wait().await;
            }
        }
    }
}

/// Slots that were handed out, at most one of each batch.
struct UnderWay {
    tasks: JoinSet<(Uuid, Result<(), StoreError>)>,
    busy: HashSet<Uuid>,
    marks: Marks,
    share: Arc<Share>,
}

impl UnderWay {
    fn new(store: &Store) -> Self {
        let share = Arc::new(Share::new(store.batch_connections()));
        Self { tasks: JoinSet::new(), busy: HashSet::new(), marks: Marks::new(), share }
    }

    /// Answers how long no other batch may do anything.
    async fn look(&mut self, store: &Store) -> Result<Duration, StoreError> {
        // One statement while there is nothing to do.
        match store.next_batch_in(&self.busy).await? {
            None => return Ok(LONGEST),
            Some(wait) if !wait.is_zero() => return Ok(wait.clamp(SHORTEST, LONGEST)),
            Some(_) => {}
        }
        for slot in store.reserve_slots(&self.busy, &mut self.marks).await? {
            self.busy.insert(slot.id);
            self.tasks.spawn(carry_out(store.clone(), self.share.clone(), slot));
        }
        Ok(SHORTEST)
    }

    /// What was handed out and not decided is looked for again.
    async fn give_up(&mut self) {
        self.tasks.shutdown().await;
        self.busy.clear();
        self.marks.clear();
    }

    /// Until then, or until a batch is done with its slot. The error is one that all of them have.
    async fn wait(&mut self, wait: Duration) -> Result<(), StoreError> {
        let ended = tokio::select! {
            Some(ended) = self.tasks.join_next() => ended,
            () = tokio::time::sleep(wait) => return Ok(()),
        };
        match ended {
            Ok((batch, result)) => {
                self.busy.remove(&batch);
                result
            }
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

async fn carry_out(store: Store, share: Arc<Share>, slot: Slot) -> (Uuid, Result<(), StoreError>) {
    let id = slot.id;
    let result = match decide(store, &share, slot).await {
        Err(error) if !error.is_unavailable() => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(batch.id = %id, error = %error, cause, "a batch cannot go on; trying again");
            tokio::time::sleep(ASIDE).await;
            Ok(())
        }
        result => result,
    };
    (id, result)
}

/// One item that cannot be decided does not keep the others from it.
async fn decide(store: Store, share: &Share, slot: Slot) -> Result<(), StoreError> {
    let batch = slot.batch?;
    if slot.items.is_empty() {
        return store.end_batch(batch.id).await;
    }
    let share = share.of(&batch.account);
    let decide = |n| {
        let (store, batch, share) = (&store, &batch, &share);
        async move {
            let _turn = share.turn().await;
            store.decide_item(batch, n).await
        }
    };
    let concurrency = batch.concurrency.min(share.width());
    let mut decided = stream::iter(slot.items).map(decide).buffer_unordered(concurrency);
    let mut result = Ok(());
    while let Some(one) = decided.next().await {
        match one {
            Ok(()) => {}
            Err(error) if error.is_unavailable() || error.lacks_master_key() => return Err(error),
            Err(error) => result = Err(error),
        }
    }
    result
}
