//! Tasks that keep the house in order. Each is run by one elected worker, takes no input and is safe to
//! run twice.

mod carry_out_batches;
mod election;
mod end_fated_workflows;
mod follow_instances;
mod give_up_messages;
mod let_through;
mod make_partitions;
mod prune_history;
mod release_due_jobs;
mod remove_deleted_versions;
mod rescue_jobs;
mod start_scheduled;
mod vacuum_queue;

use std::sync::Arc;
use std::time::Duration;

use trunkline_store::{Store, StoreError};
use trunkline_workflow::dispatch::Price;

use crate::lease::{Backoff, Lease};
use crate::settings::Settings;
use election::Election;

/// A look of those that everybody waits for. What takes longer is never answered: a connection may be dead without a
/// word, and only a new one finds the database.
const LIMIT: Duration = Duration::from_secs(15);

/// For what looks through a week of history. Should its connection be dead, another worker is elected meanwhile.
const PATIENCE: Duration = HOUR;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Between the first looks of two tasks. All at once they would open as many connections, and each of those reads the
/// catalogs anew: a fifth of a second of processor, while the worker's first steps are waiting.
const BETWEEN_FIRST_LOOKS: Duration = Duration::from_millis(50);

/// Runs every task while the lease lasts; the caller ends it.
pub(crate) async fn run(store: Store, lease: Arc<Lease>, settings: Settings, fee: Price) {
    let patient = store.clone().with_patience(PATIENCE);
    let (store, lease, patient) = (&store, &*lease, &patient);
    let end_fated_workflows = |store| end_fated_workflows::run(store, fee);
    let prune_history = |store| prune_history::run(store, settings.retention);
    tokio::join!(
        after(0, release_due_jobs::run(store, lease)),
        after(1, rescue_jobs::run(store, settings.lease)),
        after(2, every(HOUR, store, lease, "make_partitions", make_partitions::run)),
        after(3, let_through::run(store, lease)),
        after(4, start_scheduled::run(store, lease)),
        after(5, carry_out_batches::run(store, lease)),
        after(6, every(SECOND, store, lease, "end_fated_workflows", end_fated_workflows)),
        after(7, every(SECOND * 5, store, lease, "give_up_messages", give_up_messages::run)),
        after(8, every(SECOND * 5, store, lease, "follow_instances", follow_instances::run)),
        after(9, every(SECOND * 5, patient, lease, "remove_deleted_versions", remove_deleted_versions::run)),
        after(10, every(SECOND * 600, patient, lease, "prune_history", prune_history)),
        after(11, vacuum_queue::run(store, patient, lease)),
    );
}

async fn after(others: u32, task: impl Future<Output = ()>) {
    tokio::time::sleep(BETWEEN_FIRST_LOOKS * others).await;
    task.await;
}

/// Runs a task in an interval, on whichever worker is elected for it.
async fn every<F>(
    interval: Duration,
    store: &Store,
    lease: &Lease,
    name: &'static str,
    task: impl Fn(Store) -> F,
) where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut pause = Backoff::default();
    let mut election = Election::new(store, lease, name).of_interval(interval);
    loop {
        let run = async {
            if election.is_won().await? {
                task(store.clone()).await?;
            }
            Ok::<(), StoreError>(())
        };
        match run.await {
            Ok(()) => {
                pause = Backoff::default();
                tokio::time::sleep(interval).await;
            }
            Err(error) => {
                election.forget();
                pause.report(&error, name);
                pause.wait().await;
            }
        }
    }
}
