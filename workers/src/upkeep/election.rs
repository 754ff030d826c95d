//! Which worker runs a task.

use std::time::Duration;

use tokio::time::Instant;
use trunkline_store::{Store, StoreError};

use crate::lease::Lease;

/// For those that are not elected.
pub(super) const NOT_ELECTED: Duration = Duration::from_secs(2);
/// Who is elected asks this often, not at every look.
const BETWEEN_ELECTIONS: Duration = Duration::from_secs(3);
/// Of what is done in less than that.
const ELECTED_FOR: Duration = Duration::from_secs(6);

pub(super) struct Election<'a> {
    store: &'a Store,
    lease: &'a Lease,
    task: &'static str,
    elected_for: Duration,
    won_at: Option<Instant>,
}

impl<'a> Election<'a> {
    pub(super) fn new(store: &'a Store, lease: &'a Lease, task: &'static str) -> Self {
        Self { store, lease, task, elected_for: ELECTED_FOR, won_at: None }
    }

    /// Of what is done once in `interval`.
    pub(super) fn of_interval(self, interval: Duration) -> Self {
        Self { elected_for: interval * 2 + ELECTED_FOR, ..self }
    }

    pub(super) async fn is_won(&mut self) -> Result<bool, StoreError> {
        if self.won_at.is_some_and(|at| at.elapsed() <= BETWEEN_ELECTIONS) {
            return Ok(true);
        }
        let now = Instant::now();
        let is_won = self.store.elect(self.task, self.lease.incarnation, self.elected_for).await?;
        self.won_at = is_won.then_some(now);
        Ok(is_won)
    }

    /// After an error, nothing is known.
    pub(super) fn forget(&mut self) {
        self.won_at = None;
    }
}
