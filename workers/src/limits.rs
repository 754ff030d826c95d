//! What this worker knows of limits, a second behind at most, and the way to ask for leave.
//!
//! Those who ask for one account at the same moment share a transaction: while it is under way the next ones gather,
//! as starts and completions do. A step of an account without limits looks into a map and asks nobody.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use trunkline_store::limits::{Ask, Changed, DefinitionState, Leave};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::limits::{Period, Rate, Settings};
use trunkline_workflow::{AccountId, DefinitionId};

use crate::lease::{Backoff, within};

/// How long a change may go unnoticed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// A look that takes longer is never answered.
const LOOK_LIMIT: Duration = Duration::from_secs(15);
/// Those who ask in one transaction.
const BATCH: usize = 128;

#[derive(Default)]
struct Known {
    limits: HashMap<AccountId, Arc<Settings>>,
    paused: HashMap<AccountId, HashSet<DefinitionId>>,
}

impl Known {
    fn learn(&mut self, changed: Changed) {
        for (account, settings) in changed.limits {
            if settings.is_empty() {
                self.limits.remove(&account);
            } else {
                self.limits.insert(account, Arc::new(settings));
            }
        }
        for account in changed.unreadable {
            // Whatever it is, who sends has to ask.
            let rates = vec![Rate { messages: 1, per: Period::Day }];
            self.limits.entry(account).or_insert_with(|| Arc::new(Settings { rates, ..Settings::default() }));
        }
        for (account, definition, state) in changed.definitions {
            if state == DefinitionState::Paused {
                self.paused.entry(account).or_default().insert(definition);
            } else if let Entry::Occupied(mut paused) = self.paused.entry(account) {
                paused.get_mut().remove(&definition);
                if paused.get().is_empty() {
                    paused.remove();
                }
            }
        }
    }
}

type Answer = oneshot::Sender<Result<Leave, Arc<StoreError>>>;
/// Accounts for which somebody asks, and those who ask next.
type Gathering = HashMap<AccountId, Vec<(Ask, Answer)>>;

#[derive(Clone)]
pub(crate) struct Limits {
    store: Store,
    known: Arc<RwLock<Known>>,
    loaded: watch::Sender<bool>,
    gathering: Arc<Mutex<Gathering>>,
}

impl Limits {
    pub(crate) fn new(store: Store) -> Self {
        let loaded = watch::Sender::new(false);
        Self { store, known: Arc::default(), loaded, gathering: Arc::default() }
    }

    /// Follows what is set, for ever.
    pub(crate) async fn follow(self) {
        let mut pause = Backoff::default();
        let mut since = None;
        loop {
            match within(LOOK_LIMIT, self.store.changed_limits(since)).await {
                Ok(changed) => {
                    pause = Backoff::default();
                    since = Some(changed.at);
                    self.known.write().expect("nothing panics while it holds this").learn(changed);
                    self.loaded.send_replace(true);
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                Err(error) => {
                    pause.report(&error, "cannot look for limits; trying again");
                    pause.wait().await;
                }
            }
        }
    }

    /// Until the limits are known; before that nothing may be executed.
    pub(crate) async fn until_known(&self) {
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    pub(crate) fn of(&self, account: &AccountId) -> Option<Arc<Settings>> {
        let known = self.read();
        if known.limits.is_empty() { None } else { known.limits.get(account).cloned() }
    }

    pub(crate) fn is_paused(&self, account: &AccountId, definition: DefinitionId) -> bool {
        let known = self.read();
        !known.paused.is_empty()
            && known.paused.get(account).is_some_and(|paused| paused.contains(&definition))
    }

    pub(crate) fn is_any_paused(&self, account: &AccountId) -> bool {
        let known = self.read();
        !known.paused.is_empty() && known.paused.contains_key(account)
    }

    /// Leave for a step, or its place in a queue.
    pub(crate) async fn ask(&self, account: &AccountId, ask: Ask) -> Result<Leave, StoreError> {
        let (answer, answered) = oneshot::channel();
        if self.join(account, ask, answer) {
            // In a task of its own: whoever asks may be given up, the others still want their answers.
            tokio::spawn(self.clone().ask_for_all(account.clone()));
        }
        answered.await.map_err(|_| StoreError::NoAnswer)?.map_err(StoreError::Shared)
    }

    /// Whether nobody asks for the account yet.
    fn join(&self, account: &AccountId, ask: Ask, answer: Answer) -> bool {
        match self.gather().entry(account.clone()) {
            Entry::Occupied(mut waiting) => {
                waiting.get_mut().push((ask, answer));
                false
            }
            Entry::Vacant(nobody) => {
                nobody.insert(vec![(ask, answer)]);
                true
            }
        }
    }

    async fn ask_for_all(self, account: AccountId) {
        loop {
            let batch = {
                let mut gathering = self.gather();
                let Entry::Occupied(mut waiting) = gathering.entry(account.clone()) else { return };
                if waiting.get().is_empty() {
                    waiting.remove();
                    return;
                }
                let count = waiting.get().len().min(BATCH);
                waiting.get_mut().drain(..count).collect::<Vec<_>>()
            };
            let (asks, answers): (Vec<Ask>, Vec<Answer>) = batch.into_iter().unzip();
            match self.store.ask_leave(&account, &asks).await {
                Ok(leaves) => {
                    for (answer, leave) in answers.into_iter().zip(leaves) {
                        let _ = answer.send(Ok(leave));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for answer in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().expect("nothing panics while it holds this")
    }

    fn gather(&self) -> MutexGuard<'_, Gathering> {
        self.gathering.lock().expect("nothing panics while it holds this")
    }
}
