//! Schedules whose time has come start their instances, within a second (U-70).

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::schedules::Scheduled;

use super::LIMIT;
use crate::lease::{Backoff, Lease, within};

/// The longest look away: a definition saved meanwhile may be due sooner than the one known.
const LONGEST: Duration = Duration::from_millis(500);
/// The shortest: what is due may be in somebody else's hands at the moment.
const SHORTEST: Duration = Duration::from_millis(50);
/// For those that are not elected.
const NOT_ELECTED: Duration = Duration::from_secs(2);
const ELECTED_FOR: Duration = Duration::from_secs(6);
/// The election is asked about this often, not at every look.
const BETWEEN_ELECTIONS: Duration = Duration::from_secs(3);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut elected_at: Option<tokio::time::Instant> = None;
    loop {
        let result = async {
            if elected_at.is_none_or(|at| at.elapsed() > BETWEEN_ELECTIONS) {
                let now = tokio::time::Instant::now();
                if !store.elect("start_scheduled", lease.incarnation, ELECTED_FOR).await? {
                    elected_at = None;
                    return Ok(None);
                }
                elected_at = Some(now);
            }
            store.start_scheduled().await.map(Some)
        };
        match within(LIMIT, result).await {
            Ok(scheduled) => {
                pause = Backoff::default();
                let wait = match scheduled {
                    None => NOT_ELECTED,
                    Some(Scheduled::Nothing { next_due_in }) => {
                        next_due_in.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
                    }
                    Some(Scheduled::Some { .. }) => continue,
                };
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                elected_at = None;
                pause.report(&error, "cannot start what is scheduled; trying again");
                pause.wait().await;
            }
        }
    }
}
