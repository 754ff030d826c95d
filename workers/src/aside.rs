//! A thread beside the runtime, for what takes the processor for as long as a hundred other steps take: whoever computes
//! on a thread of the runtime keeps all waiting whom it serves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// Others are served first. Of a processor that everybody wants it gets a quarter of what others do.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

type Work = Box<dyn FnOnce() + Send>;

/// Cheap to clone; the thread ends with the last one.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    work: mpsc::Sender<Work>,
    /// One computes at a time, the others wait for it here: what is only to be freed comes next.
    turn: Arc<Semaphore>,
}

impl Aside {
    pub(crate) fn start() -> Self {
        let (work, received) = mpsc::channel::<Work>();
        let serve = move || {
            // Of this thread, as Linux has it. If it may not be, it is as others are.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::setpriority_process(None, NICENESS);
            for work in received {
                // Whoever waits for it is told by its absence.
                let _ = catch_unwind(AssertUnwindSafe(work));
            }
        };
        thread::Builder::new()
            .name("aside".to_owned())
            .spawn(serve)
            .expect("a process may have a thread more");
        Self { work, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Panics if `work` does.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let turn = self.turn.clone().acquire_owned().await.expect("it is never closed");
        let (done, outcome) = oneshot::channel();
        self.later(move || {
            let _ = done.send(work());
            drop(turn);
        });
        outcome.await.expect("what was computed did not panic")
    }

    pub(crate) fn later(&self, work: impl FnOnce() + Send + 'static) {
        self.work.send(Box::new(work)).expect("the thread is there as long as this");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_also_after_a_panic() {
        let aside = Aside::start();
        assert_eq!(aside.run(|| 1 + 1).await, 2);
        let here = aside.clone();
        let panicked = tokio::spawn(async move { here.run(|| panic!("oh")).await }).await;
        assert!(panicked.unwrap_err().is_panic());
        let name = aside.run(|| thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.as_deref(), Some("aside"));
    }
}
