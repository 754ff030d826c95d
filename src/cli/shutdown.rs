//! The wish to end, from a terminal or a service manager.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::error::CliError;

/// Ctrl-C twice: as a shell reports a process that SIGINT ended.
const IMPATIENT: i32 = 130;

/// Whether the process was asked to end. Clones hear of the same wish.
#[derive(Debug, Clone)]
pub(super) struct Shutdown {
    requested: watch::Receiver<bool>,
}

impl Shutdown {
    /// The first SIGINT, SIGTERM or SIGHUP is the wish. Who sends a second one wants no order any more: the
    /// process ends at once.
    pub(super) fn on_signal() -> Result<Self, CliError> {
        let listen =
            |kind| signal(kind).map_err(|source| CliError::System { action: "handle signals", source });
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut terminate = listen(SignalKind::terminate())?;
        let mut hang_up = listen(SignalKind::hangup())?;
        let (wish, requested) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hang_up.recv() => {}
                }
                if wish.send_replace(true) {
                    std::process::exit(IMPATIENT);
                }
            }
        });
        Ok(Self { requested })
    }

    /// The wish of another part of the program: sending `true` makes it.
    pub(super) fn on_demand() -> (watch::Sender<bool>, Self) {
        let (wish, requested) = watch::channel(false);
        (wish, Self { requested })
    }

    /// Ends when somebody wishes so.
    pub(super) fn requested(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut requested = self.requested.clone();
        async move {
            // Who drops the sender has nothing left to wish for: that ends it as well.
            let _wished = requested.wait_for(|requested| *requested).await;
        }
    }
}
