//! What accounts want to be kept in the history, looked up where a step has something to tell and remembered for a
//! moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use trunkline_store::Store;
use trunkline_workflow::AccountId;
use trunkline_workflow::history_policy::HistoryPolicy;

use crate::lease::{Backoff, Lease};

/// How long a changed policy may go unnoticed.
const TRUST: Duration = Duration::from_secs(3);
/// Policies remembered; beyond this the cache starts over.
const CAPACITY: usize = 10_000;

type Remembered = (Instant, Arc<HistoryPolicy>);

#[derive(Clone)]
pub(crate) struct HistoryPolicies {
    store: Store,
    remembered: Arc<Mutex<HashMap<AccountId, Remembered>>>,
}

impl HistoryPolicies {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, remembered: Arc::default() }
    }

    /// Asked for until the database answers. `None`: the worker is no longer believed, or nobody can tell.
    pub(crate) async fn find(&self, account: &AccountId, lease: &Lease) -> Option<Arc<HistoryPolicy>> {
        if let Some((since, policy)) = self.lock().get(account)
            && since.elapsed() < TRUST
        {
            return Some(policy.clone());
        }
        let mut pause = Backoff::default();
        let policy = loop {
            match self.store.history_policy(account).await {
                Ok(policy) => break Arc::new(policy),
                Err(error) if error.may_pass() => {
                    if lease.is_lost() {
                        return None;
                    }
                    pause.report(&error, "cannot load what the history may keep; trying again");
                    pause.wait().await;
                }
                Err(error) => {
                    tracing::error!(account.id = %account, error = %error, "a history policy cannot be read");
                    return None;
                }
            }
        };
        let mut remembered = self.lock();
        if remembered.len() >= CAPACITY {
            remembered.clear();
        }
        remembered.insert(account.clone(), (Instant::now(), policy.clone()));
        Some(policy)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Remembered>> {
        self.remembered.lock().expect("nothing panics while it holds this")
    }
}
