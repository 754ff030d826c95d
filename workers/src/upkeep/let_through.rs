//! Whoever waits for leave asks again as soon as there may be room.

use std::time::Duration;

use trunkline_store::Store;
use trunkline_store::limits::{LetThrough, QueueMark};

use super::LIMIT;
use super::election::{Election, NOT_ELECTED};
use crate::lease::{Backoff, Lease, within};

/// While somebody waits.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// While nobody does.
const IDLE: Duration = Duration::from_millis(500);

pub(super) async fn run(store: &Store, lease: &Lease) {
    let mut pause = Backoff::default();
    let mut election = Election::new(store, lease, "let_through");
    let mut mark = QueueMark::default();
    loop {
        let result = async {
            if !election.is_won().await? {
                return Ok(None);
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
                election.forget();
                pause.report(&error, "cannot let waiting steps through; trying again");
                pause.wait().await;
            }
        }
    }
}
