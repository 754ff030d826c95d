//! What accounts want to be kept in the history, looked up where a step has something to tell and remembered for a
//! moment.

use std::sync::Arc;
use std::time::Duration;

use trunkline_store::Store;
use trunkline_workflow::AccountId;
use trunkline_workflow::history_policy::HistoryPolicy;

use crate::lease::{Backoff, Lease, within};
use crate::remembered::{Remembered, TRY};

/// How long a changed policy may go unnoticed.
const TRUST: Duration = Duration::from_secs(3);
/// Policies remembered.
const CAPACITY: usize = 10_000;

#[derive(Clone)]
pub(crate) struct HistoryPolicies {
    store: Store,
    found: Remembered<AccountId, Arc<HistoryPolicy>>,
}

impl HistoryPolicies {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, found: Remembered::new(CAPACITY) }
    }

    /// Asked for until the database answers. `None`: the worker is no longer believed, or nobody can tell.
    pub(crate) async fn find(&self, account: &AccountId, lease: &Lease) -> Option<Arc<HistoryPolicy>> {
        tokio::select! {
            biased;
            found = self.found.get(account.clone(), || self.ask(account)) => found.ok(),
            () = lease.until_lost() => None,
        }
    }

    async fn ask(&self, account: &AccountId) -> Result<(Arc<HistoryPolicy>, Duration), Unreadable> {
        let mut pause = Backoff::default();
        loop {
            match within(TRY, self.store.history_policy(account)).await {
                Ok(policy) => return Ok((Arc::new(policy), TRUST)),
                Err(error) if error.may_pass() => {
                    pause.report(&error, "cannot load what the history may keep; trying again");
                    pause.wait().await;
                }
                Err(error) => {
                    tracing::error!(account.id = %account, error = %error, "a history policy cannot be read");
                    return Err(Unreadable);
                }
            }
        }
    }
}

struct Unreadable;
