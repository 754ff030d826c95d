//! How many requests an account may make in a second (U-57). Off unless it is configured; each server
//! counts what it serves itself.
//!
//! A bucket per account, kept as the moment at which it is full again: one number and no task that refills
//! it. That is less than using a crate for it would be, and its map forgets the accounts whose bucket is full.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use trunkline_workflow::AccountId;

use super::auth::Account;
use super::error::ApiError;

/// A full bucket holds what it is refilled with in this time: so much may come at once.
const BURST: Duration = Duration::from_secs(1);
/// Buckets kept before the full ones are looked for.
const REMEMBERED: usize = 10_000;

pub struct RateLimit {
    /// After this long there is one more.
    interval: Duration,
    full_at: Mutex<HashMap<AccountId, Instant>>,
}

impl RateLimit {
    pub fn new(per_second: NonZeroU32) -> Self {
        Self { interval: BURST / per_second.get(), full_at: Mutex::default() }
    }

    /// Takes one out of the account's bucket; `false` when it is empty. In a second it never is.
    pub(super) fn take(&self, account: &AccountId, now: Instant) -> bool {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.get(account).map_or(now, |full_at| now.max(*full_at));
        let full_again = full_at + self.interval;
        let taken = full_again <= now + BURST;
        if taken {
            buckets.insert(account.clone(), full_again);
        }
        taken
    }
}

pub(super) async fn limit_rate(
    State(limit): State<Arc<RateLimit>>,
    Account(account): Account,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !limit.take(&account, Instant::now()) {
        return Err(ApiError::TooManyRequests);
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_one_per_interval() {
        let limit = RateLimit::new(NonZeroU32::new(4).unwrap());
        let (acme, other) = (AccountId::new("acme"), AccountId::new("other"));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        for _ in 0..4 {
            assert!(limit.take(&acme, at(0)));
        }
        assert!(!limit.take(&acme, at(0)));
        assert!(limit.take(&other, at(0)), "everybody has a bucket");
        assert!(!limit.take(&acme, at(249)));
        assert!(limit.take(&acme, at(250)));
        assert!(!limit.take(&acme, at(251)));
        let later = (0..10).filter(|_| limit.take(&acme, at(60_000))).count();
        assert_eq!(later, 4, "it does not hold more than a second's");
    }

    #[test]
    fn any_rate_can_be_set() {
        for (rate, at_once) in [(1, 1), (3, 3), (1_000_000, 1_000)] {
            let limit = RateLimit::new(NonZeroU32::new(rate).unwrap());
            let now = Instant::now();
            let taken = (0..1_000).filter(|_| limit.take(&AccountId::new("a"), now)).count();
            assert_eq!(taken, at_once);
        }
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let limit = RateLimit::new(NonZeroU32::new(1).unwrap());
        let start = Instant::now();
        for number in 0..REMEMBERED {
            assert!(limit.take(&AccountId::new(number.to_string()), start));
        }
        assert!(limit.take(&AccountId::new("next"), start + BURST));
        assert_eq!(limit.full_at.lock().unwrap().len(), 1);
    }
}
