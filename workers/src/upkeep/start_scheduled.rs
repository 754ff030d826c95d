//! Schedules whose time has come start their instances, within a second (U-70).

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::schedules::Scheduled;

use super::LIMIT;
use super::election::{Election, NOT_ELECTED};
use crate::lease::{Backoff, Lease, within};

/// The longest look away: a definition saved meanwhile may be due sooner than the one known.
const LONGEST: Duration = Duration::from_millis(500);
/// The shortest: what is due may be in somebody else's hands at the moment.
const SHORTEST: Duration = Duration::from_millis(50);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut election = Election::new(store, lease, "start_scheduled");
    loop {
        let result = async {
            if !election.is_won().await? {
                return Ok(None);
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
                election.forget();
                pause.report(&error, "cannot start what is scheduled; trying again");
                pause.wait().await;
            }
        }
    }
}
