//! Whoever waits for leave asks again as soon as there may be room.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::limits::{LetThrough, QueueMark};

use super::LIMIT;
use crate::lease::{Backoff, Lease, within};

/// While somebody waits.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// While nobody does.
const IDLE: Duration = Duration::from_millis(500);
/// For those that are not elected.
const NOT_ELECTED: Duration = Duration::from_secs(2);
const ELECTED_FOR: Duration = Duration::from_secs(6);
/// The election is asked about this often, not at every look.
const BETWEEN_ELECTIONS: Duration = Duration::from_secs(3);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut elected_at: Option<tokio::time::Instant> = None;
    let mut mark = QueueMark::default();
    loop {
        let result = async {
            if elected_at.is_none_or(|at| at.elapsed() > BETWEEN_ELECTIONS) {
                let now = tokio::time::Instant::now();
                if !store.elect("let_through", lease.incarnation, ELECTED_FOR).await? {
                    elected_at = None;
                    return Ok(None);
                }
                elected_at = Some(now);
            }
            store.let_through(&mut mark).await.map(Some)
        };
        match within(LIMIT, result).await {
            Ok(found) => {
                pause = Backoff::default();
                tokio::time::sleep(match found {
                    None => NOT_ELECTED,
                    Some(LetThrough::Nobody) => IDLE,
                    Some(LetThrough::Some(_)) => BETWEEN_LOOKS,
                })
                .await;
            }
            Err(error) => {
                elected_at = None;
                pause.report(&error, "cannot let waiting steps through; trying again");
                pause.wait().await;
            }
        }
    }
}
