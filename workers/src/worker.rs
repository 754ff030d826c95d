//! A worker's life: lives under one lease after another until it is asked to stop, then drains.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use trunkline_store::{Store, workers};
use trunkline_workflow::dispatch::Price;

use crate::claim_jobs::Claimer;
use crate::complete_jobs::Completer;
use crate::connectors::Connectors;
use crate::contexts::Contexts;
use crate::definitions::Definitions;
use crate::deliver_callbacks;
use crate::execute::Executor;
use crate::history_policies::HistoryPolicies;
use crate::lease::Lease;
use crate::limits::Limits;
use crate::queue;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::tools::Tools;
use crate::upkeep;

/// Connections that write completions: while one waits for its commit the other gathers the next batch.
const COMPLETERS: usize = 2;

/// A step that asks over a connection which is dead keeps its slot until then, and its lease.
const PATIENCE: Duration = Duration::from_secs(15);

/// A part of the worker ended by itself, which is a defect: better a new process than half a worker.
#[derive(Debug, thiserror::Error)]
#[error("a part of the worker stopped working")]
pub struct Broken;

/// Works until `shutdown`, then finishes or gives back what it holds. A database outage never ends it.
pub async fn run(
    store: Store,
    tools: Tools,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Broken> {
    let store = store.with_patience(PATIENCE);
    let (jobs, received_jobs) = mpsc::unbounded_channel();
    let (finished, received_finished) = mpsc::unbounded_channel();
    let received_finished = Arc::new(Mutex::new(received_finished));
    let large = Arc::default();
    let (drain, draining) = watch::channel(false);
    let slots = Slots::new(settings.slots);

    let mut parts = JoinSet::new();
    for _ in 0..COMPLETERS {
        let completer = Completer {
            store: store.clone(),
            finished: received_finished.clone(),
            large: Arc::clone(&large),
            jobs: jobs.downgrade(),
            draining: draining.clone(),
            slots: slots.clone(),
            steps: settings.steps.clone(),
        };
        parts.spawn(completer.run());
    }
    let told_to_drain = Arc::new(AtomicBool::new(false));
    let delivering = tokio::spawn(deliver_callbacks::run(
        store.clone(),
        tools.outbound.clone(),
        told_to_drain.clone(),
        draining.clone(),
    ));
    let fee = tools.rules.workflow_fee;
    let limits = Limits::new(store.clone());
    let following = tokio::spawn(limits.clone().follow());
    let definitions = Definitions::default();
    let executor = Executor {
        store: store.clone(),
        tools,
        definitions: definitions.clone(),
        contexts: Contexts::new(store.clone(), draining.clone()),
        connectors: Connectors::new(store.clone()),
        limits: limits.clone(),
        policies: HistoryPolicies::new(store.clone()),
    };
    let name = settings.name.clone();
    parts.spawn(async move { queue::run(&name, executor, received_jobs, finished).await });
    let listener = tokio::spawn(listen(store.clone()));
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("draining: the worker takes no more jobs and finishes what it holds");
        let _ = drain.send(true);
    });

    let claimer = Claimer {
        store: store.clone(),
        settings: settings.clone(),
        slots: slots.clone(),
        definitions,
        jobs,
        draining: draining.clone(),
    };
    let lease = tokio::select! {
        lease = live(&store, (&settings, fee), &claimer, &limits, &told_to_drain, &draining) => Ok(lease),
        // All parts work until the claimer is gone.
        _ = parts.join_next() => Err(Broken),
    };
    listener.abort();
    let lease = lease.inspect_err(|error| tracing::error!(error = %error, "the worker ends"))?;
    finish(&slots, settings.grace).await;
    // A call takes no longer than the client waits for it.
    let _ended = delivering.await;
    // Without a sender of jobs the frame ends once its last job has ended, and then the completers.
    drop(claimer);
    let ending = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_secs(1), ending).await.is_err() {
        tracing::warn!(
            steps = slots.in_use().len(),
            "steps were still running at the end of the grace period"
        );
    }
    parts.abort_all();
    following.abort();
    if let Some(life) = lease {
        life.keeping.abort();
        retire(&store, &life.lease).await;
    }
    Ok(())
}

/// A lease and the task that keeps it.
struct Life {
    lease: Arc<Lease>,
    keeping: JoinHandle<()>,
}

/// One lease after another. Answers the last one, if it still holds: it is needed until the last job is done.
async fn live(
    store: &Store,
    (settings, fee): (&Settings, Price),
    claimer: &Claimer,
    limits: &Limits,
    told_to_drain: &Arc<AtomicBool>,
    draining: &watch::Receiver<bool>,
) -> Option<Life> {
    let mut stopping = draining.clone();
    tokio::select! {
        () = limits.until_known() => {}
        _ = stopping.wait_for(|draining| *draining) => return None,
    }
    loop {
        let lease = tokio::select! {
            lease = Lease::begin(store, settings, told_to_drain) => lease,
            _ = stopping.wait_for(|draining| *draining) => return None,
        };
        let keeping = tokio::spawn(lease.clone().keep(store.clone()));
        tokio::select! {
            () = Box::pin(claimer.run(&lease)) => {}
            () = Box::pin(upkeep::run(store.clone(), lease.clone(), settings.clone(), fee)) => {}
        }
        if *draining.borrow() {
            return (!lease.is_lost()).then_some(Life { lease, keeping });
        }
    }
}

/// Waits for what is being executed, at most the grace period.
async fn finish(slots: &Slots, grace: Duration) {
    let finishing = async {
        while !slots.all_free() {
            slots.freed().await;
        }
    };
    let _ = tokio::time::timeout(grace, finishing).await;
}

/// Ends the life: what is left goes back to the queue at once instead of after the lease.
async fn retire(store: &Store, lease: &Lease) {
    let retiring = async {
        let mut connection = store.hot_connection().await?;
        workers::retire(&mut connection, lease.incarnation).await
    };
    match tokio::time::timeout(Duration::from_secs(5), retiring).await {
        Ok(Ok(freed)) => {
            tracing::info!(worker.id = lease.incarnation.0, jobs = freed, "worker retired");
            if freed > 0 {
                store.wake().hint();
            }
        }
        Ok(Err(error)) => tracing::warn!(error = %error, "the lease will run out by itself"),
        Err(_) => tracing::warn!("the database did not answer; the lease will run out by itself"),
    }
}

/// Passes other processes' hints on. Hints may get lost; polling is the truth.
async fn listen(store: Store) {
    loop {
        if let Err(error) = store.listen().await {
            tracing::debug!(error = %error, "not listening for hints");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
