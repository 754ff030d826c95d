//! Whose turn it is to decide an item: of all batches only so many do at the same moment, and accounts take turns.
//!
//! An account has at most as many in the line for the whole as may be under way, so the line goes around among the
//! accounts, however many items each of them has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trunkline_workflow::AccountId;

pub(super) struct Share {
    whole: Arc<Semaphore>,
    /// Of each account.
    width: usize,
    accounts: Mutex<HashMap<AccountId, Weak<Semaphore>>>,
}

/// An account's.
pub(super) struct AccountShare {
    whole: Arc<Semaphore>,
    own: Arc<Semaphore>,
    width: usize,
}

impl Share {
    pub(super) fn new(width: usize) -> Self {
        let whole = Arc::new(Semaphore::new(width));
        // One is left to the others, if there are enough: an account's items may all be waiting for locks.
        let width = if width > 2 { width - 1 } else { width };
        Self { whole, width, accounts: Mutex::default() }
    }

    pub(super) fn of(&self, account: &AccountId) -> AccountShare {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = accounts.get(account).and_then(Weak::upgrade).unwrap_or_else(|| {
            let own = Arc::new(Semaphore::new(self.width));
            accounts.retain(|_, other| other.strong_count() > 0);
            accounts.insert(account.clone(), Arc::downgrade(&own));
            own
        });
        AccountShare { whole: self.whole.clone(), own, width: self.width }
    }
}

impl AccountShare {
    /// Items at the same moment.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// It lasts until it is dropped.
    pub(super) async fn turn(&self) -> (OwnedSemaphorePermit, OwnedSemaphorePermit) {
        let own = self.own.clone().acquire_owned().await.expect("nobody closes it");
        let whole = self.whole.clone().acquire_owned().await.expect("nobody closes it");
        (own, whole)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn an_account_leaves_one_to_the_others_and_they_take_turns() {
        let share = Share::new(3);
        let (many, one) = (share.of(&AccountId::new("many")), share.of(&AccountId::new("one")));
        let turn = |of: &AccountShare| of.turn().now_or_never();
        let (first, second) = (turn(&many).unwrap(), turn(&many).unwrap());
        assert!(turn(&many).is_none());
        assert!(turn(&share.of(&AccountId::new("many"))).is_none(), "its batches have one share together");
        let third = turn(&one).unwrap();
        assert!(turn(&one).is_none(), "that is all");

        // Two of the first wait in the line of their account, and the second one is before them in the other.
        let other = share.of(&AccountId::new("other"));
        let mut waiting = Box::pin(other.turn());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop((first, second));
        assert!(waiting.as_mut().now_or_never().is_some());
        drop(third);
        assert!(turn(&many).is_some());
        assert_eq!(Share::new(1).of(&AccountId::new("many")).width(), 1);
    }
}
