//! Accounts whose scripts are slow have one child together, and leave all others to the rest.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as Lane, MutexGuard as Place};

use super::pool::Idle;

/// How long an account is remembered for a slow script.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct SlowAccounts {
    accounts: Mutex<HashMap<String, Account>>,
    /// Their child.
    lane: Lane<Option<Idle>>,
}

#[derive(Debug)]
struct Account {
    slow_until: Instant,
    /// Its requests in the lane. While there are any it is slow: the next one would overtake them.
    in_lane: usize,
}

impl Account {
    fn is_slow(&self, now: Instant) -> bool {
        self.in_lane > 0 || self.slow_until > now
    }
}

/// A request of a slow account has the child.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub place: Place<'a, Option<Idle>>,
    _entry: Entry<'a>,
}

/// A request of this account is in the lane.
#[derive(Debug)]
struct Entry<'a>(&'a SlowAccounts, &'a str);

impl SlowAccounts {
    pub fn new() -> SlowAccounts {
        SlowAccounts { accounts: Mutex::new(HashMap::new()), lane: Lane::new(None) }
    }

    pub fn remember(&self, account: &str) {
        let now = Instant::now();
        let slow_until = now + REMEMBERED_FOR;
        let mut accounts = self.accounts();
        accounts.retain(|_, account| account.is_slow(now));
        accounts
            .entry(account.to_owned())
            .and_modify(|account| account.slow_until = slow_until)
            .or_insert(Account { slow_until, in_lane: 0 });
    }

    /// Waits for the turn of a slow account; others have no turns.
    pub async fn turn<'a>(&'a self, account: &'a str) -> Option<Turn<'a>> {
        let entry = self.enter(account)?;
        Some(Turn { place: self.lane.lock().await, _entry: entry })
    }

    pub fn is_slow(&self, account: &str) -> bool {
        let now = Instant::now();
        self.accounts().get(account).is_some_and(|account| account.is_slow(now))
    }

    fn enter<'a>(&'a self, account: &'a str) -> Option<Entry<'a>> {
        let now = Instant::now();
        let mut accounts = self.accounts();
        let slow = accounts.get_mut(account).filter(|account| account.is_slow(now))?;
        slow.in_lane += 1;
        Some(Entry(self, account))
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let Entry(slow, account) = self;
        if let Some(account) = slow.accounts().get_mut(*account) {
            account.in_lane -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_is_slow_while_a_request_of_it_is_in_the_lane() {
        let slow = SlowAccounts::new();
        assert!(slow.turn("a").await.is_none());
        slow.remember("a");
        let turn = slow.turn("a").await.expect("it is slow");
        let waiting = slow.enter("a").expect("it is slow");
        slow.accounts().get_mut("a").unwrap().slow_until = Instant::now();
        assert!(slow.is_slow("a"));
        drop(turn);
        slow.remember("b");
        assert!(slow.is_slow("a"), "one waits");
        drop(waiting);
        assert!(!slow.is_slow("a"));
        slow.remember("b");
        assert_eq!(slow.accounts().keys().collect::<Vec<_>>(), ["b"], "who is not slow is not kept");
    }
}
