//! The only file that knows apalis: our tables as a backend of its worker.
//!
//! apalis polls, applies the layers and shuts down. Jobs reach it through one channel and outcomes leave
//! it through another; what stands behind the channels is [`crate::claim_jobs`] and
//! [`crate::complete_jobs`]. The acknowledgement is the backend's own layer, outside everything else, so
//! that it sees what became of every job.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tower::{Layer, Service};
use trunkline_store::attempts::Attempt;
use trunkline_store::jobs::LeasedJob;
use trunkline_workflow::{Graph, Outcome};

use crate::contexts::Context;
use crate::execute::Executor;
use crate::lease::Lease;
use crate::slots::Slot;

/// Under which the frame logs.
pub const FRAME_LOG_TARGET: &str = "apalis_core";

/// A job in this worker's hands.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) job: Arc<LeasedJob>,
    pub(crate) context: Context,
    pub(crate) lease: Arc<Lease>,
    /// Then, or later, it became this worker's.
    pub(crate) since: Instant,
    /// Jobs done in a row on this path without giving it up.
    pub(crate) streak: u32,
    /// Freed when the last of this is dropped.
    #[expect(dead_code, reason = "held, never looked at")]
    pub(crate) slot: Arc<Slot>,
}

/// An attempt that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) held: Held,
    pub(crate) end: End,
    pub(crate) took: Duration,
}

#[derive(Debug)]
pub(crate) enum End {
    /// To be written. The context is the one that the next job starts with.
    Outcome {
        outcome: Outcome,
        graph: Arc<Graph>,
        context: Context,
        /// What the history is told.
        attempt: Option<Box<Attempt>>,
        /// Of a long one, until it is written.
        room: Option<OwnedSemaphorePermit>,
    },
    /// The worker is no longer believed, or could not find out what to do: nothing is written.
    Abandoned,
}

/// Runs jobs until the sender of `jobs` is gone and everything that was handed out is finished.
pub(crate) async fn run(
    name: &str,
    executor: Executor,
    jobs: mpsc::UnboundedReceiver<Held>,
    finished: mpsc::UnboundedSender<Finished>,
) {
    let worker = WorkerBuilder::new(name)
        .backend(Queue { jobs, finished })
        .build(Execute { executor: Arc::new(executor) });
    if let Err(error) = worker.run().await {
        tracing::error!(error = %error, "the worker's frame stopped");
    }
}

struct Queue {
    jobs: mpsc::UnboundedReceiver<Held>,
    finished: mpsc::UnboundedSender<Finished>,
}

impl Backend for Queue {
    type Task = Task<Held>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut task::Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut task::Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Held>, Infallible>>> {
        self.jobs.poll_recv(cx).map(|job| job.map(|job| Ok(Task::new(job))))
    }

    fn poll_close(
        &mut self,
        _: &mut task::Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        // The frame waits to be told, even when there is nothing more to poll.
        let _ = worker.stop();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Queue {
    type Args = Held;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Acknowledge;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Acknowledge {
        Acknowledge { finished: self.finished.clone() }
    }
}

/// Hands the end of every job to the completer. A panic in a step is the step's failure, not the worker's.
#[derive(Clone)]
struct Acknowledge {
    finished: mpsc::UnboundedSender<Finished>,
}

struct Acknowledged<S> {
    inner: S,
    finished: mpsc::UnboundedSender<Finished>,
}

impl<S> Layer<S> for Acknowledge {
    type Service = Acknowledged<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Acknowledged { inner, finished: self.finished.clone() }
    }
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<(), E>> + Send>>;

impl<S> Service<Task<Held>> for Acknowledged<S>
where
    S: Service<Task<Held>, Response = End>,
    S::Future: Send + 'static,
    S::Error: std::fmt::Debug + Send + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Held>) -> Self::Future {
        let held = task.args.clone();
        let finished = self.finished.clone();
        let begun = Instant::now();
        let execution = AssertUnwindSafe(self.inner.call(task)).catch_unwind();
        Box::pin(async move {
            let end = match execution.await {
                Ok(Ok(end)) => end,
                Ok(Err(error)) => {
                    tracing::error!(job.id = %held.job.id().as_uuid(), ?error, "a step could not be executed");
                    End::Abandoned
                }
                Err(_) => {
                    tracing::error!(job.id = %held.job.id().as_uuid(), "a step panicked");
                    End::Outcome {
                        outcome: Outcome::Failed { message: "Internal error.".to_owned(), result: None },
                        graph: Arc::default(),
                        context: held.context.clone(),
                        attempt: None,
                        room: None,
                    }
                }
            };
            // The completer outlives the frame.
            let _ = finished.send(Finished { held, end, took: begun.elapsed() });
            Ok(())
        })
    }
}

/// The innermost service: executes one job.
#[derive(Clone)]
struct Execute {
    executor: Arc<Executor>,
}

impl Service<Task<Held>> for Execute {
    type Response = End;
    type Error = apalis_core::error::BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<End, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Held>) -> Self::Future {
        let executor = self.executor.clone();
        if !task.args.context.is_large() {
            return Box::pin(async move { Ok(executor.execute(&task.args).await) });
        }
        // The frame is one task, and what only looks at a large context takes milliseconds.
        let mut own = JoinSet::new();
        own.spawn(async move { executor.execute(&task.args).await });
        Box::pin(async move {
            match own.join_next().await.expect("there is one") {
                Ok(end) => Ok(end),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    Err(error) => Err(error.into()),
                },
            }
        })
    }
}
