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
const PATIENCE: Duration = Duration::from_hours(1);

/// Runs every task while the lease lasts; the caller ends it.
pub(crate) async fn run(store: Store, lease: Arc<Lease>, settings: Settings, fee: Price) {
    let retention = settings.retention;
    let patient = store.clone().with_patience(PATIENCE);
    tokio::join!(
        release_due_jobs::run(&store, &lease),
        rescue_jobs::run(&store, settings.lease),
        start_scheduled::run(&store, &lease),
        carry_out_batches::run(&store, &lease),
        let_through::run(&store, &lease),
        every(
            Duration::from_secs(5),
            &patient,
            &lease,
            "remove_deleted_versions",
            remove_deleted_versions::run
        ),
        every(Duration::from_secs(5), &store, &lease, "give_up_messages", give_up_messages::run),
        every(Duration::from_secs(600), &patient, &lease, "prune_history", |store| {
            prune_history::run(store, retention)
        }),
        every(Duration::from_secs(1), &store, &lease, "end_fated_workflows", |store| {
            end_fated_workflows::run(store, fee)
        }),
        every(Duration::from_secs(5), &store, &lease, "follow_instances", follow_instances::run),
        every(Duration::from_secs(3600), &store, &lease, "make_partitions", make_partitions::run),
    );
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
