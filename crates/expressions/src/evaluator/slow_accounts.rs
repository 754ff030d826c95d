//! Keeps accounts whose scripts run into the time limit from taking all children.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// How long an account is remembered for a script that took too long.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// All accounts that were slow lately share one child at a time.
#[derive(Debug)]
pub(super) struct SlowAccounts {
    until: Mutex<HashMap<String, Instant>>,
    lane: Semaphore,
}

impl SlowAccounts {
    pub fn new() -> SlowAccounts {
        SlowAccounts { until: Mutex::new(HashMap::new()), lane: Semaphore::new(1) }
    }

    pub fn remember(&self, account: &str) {
        let now = Instant::now();
        let mut until = self.until.lock().expect("nothing panics while it holds this lock");
        until.retain(|_, until| *until > now);
        until.insert(account.to_owned(), now + REMEMBERED_FOR);
    }

    /// Waits for the turn of a slow account; others have no turns.
    pub async fn turn(&self, account: &str) -> Option<SemaphorePermit<'_>> {
        if !self.is_slow(account) {
            return None;
        }
        Some(self.lane.acquire().await.expect("this semaphore is never closed"))
    }

    fn is_slow(&self, account: &str) -> bool {
        let until = self.until.lock().expect("nothing panics while it holds this lock");
        until.get(account).is_some_and(|until| *until > Instant::now())
    }
}
