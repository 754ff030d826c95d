//! Batches are carried out, each at its rate.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use trunkline_store::batches::{Marks, Slot};
use trunkline_store::{Store, StoreError};

use crate::lease::{Backoff, Lease};

/// The longest look away: a batch may be made or resumed meanwhile.
const LONGEST: Duration = Duration::from_millis(500);
const SHORTEST: Duration = Duration::from_millis(1);
/// For those that are not elected.
const NOT_ELECTED: Duration = Duration::from_secs(2);
const ELECTED_FOR: Duration = Duration::from_secs(6);
/// The election is asked about this often, not at every look.
const BETWEEN_ELECTIONS: Duration = Duration::from_secs(3);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut elected_at: Option<tokio::time::Instant> = None;
    let mut marks = Marks::new();
    loop {
        let result = async {
            if elected_at.is_none_or(|at| at.elapsed() > BETWEEN_ELECTIONS) {
                let now = tokio::time::Instant::now();
                if !store.elect("carry_out_batches", lease.incarnation, ELECTED_FOR).await? {
                    elected_at = None;
                    return Ok(Some(NOT_ELECTED));
                }
                elected_at = Some(now);
            }
            look(store, &mut marks).await
        };
        match result.await {
            Ok(wait) => {
                pause = Backoff::default();
                if let Some(wait) = wait {
                    tokio::time::sleep(wait).await;
                }
            }
            Err(error) => {
                elected_at = None;
                // What was handed out and not decided is looked for again.
                marks.clear();
                pause.report(&error, "cannot carry out batches; trying again");
                pause.wait().await;
            }
        }
    }
}

/// Answers how long nothing may be done; `None`: there was something.
async fn look(store: &Store, marks: &mut Marks) -> Result<Option<Duration>, StoreError> {
    // One statement while there is nothing to do.
    match store.next_batch_in().await? {
        None => return Ok(Some(LONGEST)),
        Some(wait) if !wait.is_zero() => return Ok(Some(wait.clamp(SHORTEST, LONGEST))),
        Some(_) => {}
    }
    let slots = store.reserve_slots(marks).await?;
    let decided = join_all(slots.into_iter().map(|slot| decide(store.clone(), slot))).await;
    decided.into_iter().collect::<Result<(), _>>()?;
    Ok(None)
}

async fn decide(store: Store, slot: Slot) -> Result<(), StoreError> {
    let Slot { batch, items } = slot;
    let (concurrency, batch) = (batch.concurrency, Arc::new(batch));
    let decide = move |n| {
        let (store, batch) = (store.clone(), batch.clone());
        async move { store.decide_item(&batch, n).await }
    };
    stream::iter(items).map(decide).buffer_unordered(concurrency).try_collect().await
}
