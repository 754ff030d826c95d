//! Accounts whose scripts run into the time limit have one child together, and leave all others to the rest.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as Lane, MutexGuard as Turn};

use super::pool::Idle;

/// How long an account is remembered for a script that took too long.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct SlowAccounts {
    until: Mutex<HashMap<String, Instant>>,
    /// Their child.
    lane: Lane<Option<Idle>>,
}

impl SlowAccounts {
    pub fn new() -> SlowAccounts {
        SlowAccounts { until: Mutex::new(HashMap::new()), lane: Lane::new(None) }
    }

    pub fn remember(&self, account: &str) {
        let now = Instant::now();
        let mut until = self.until.lock().expect("nothing panics while it holds this lock");
        until.retain(|_, until| *until > now);
        until.insert(account.to_owned(), now + REMEMBERED_FOR);
    }

    /// Waits for the turn of a slow account; others have no turns.
    pub async fn turn(&self, account: &str) -> Option<Turn<'_, Option<Idle>>> {
        if !self.is_slow(account) {
            return None;
        }
        Some(self.lane.lock().await)
    }

    pub fn is_slow(&self, account: &str) -> bool {
        let until = self.until.lock().expect("nothing panics while it holds this lock");
        until.get(account).is_some_and(|until| *until > Instant::now())
    }
}
