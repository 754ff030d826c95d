//! Calls to addresses of customers: made here, with nothing of a job waiting for them (Workflows API 9.6).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use trunkline_connectors::messages_api::sign_webhook;
use trunkline_connectors::outbound::{OutboundClient, OutboundRequest};
use trunkline_store::callbacks::{Callback, Delivery};
use trunkline_store::clock;
use trunkline_store::{Store, StoreError};
use uuid::Uuid;

use crate::lease::Backoff;
use crate::measure::MEASURES;

/// Calls that a worker makes at the same time.
const AT_ONCE: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a call takes: then another worker may make it.
const LEASE: Duration = Duration::from_secs(60);
/// The longest look away. Who writes a call down gives a hint; one that gets lost costs so much time.
const LONGEST: Duration = Duration::from_secs(5);
/// The same where hints of other processes do not come, behind a pooler.
const LONGEST_UNTOLD: Duration = Duration::from_millis(500);
const SHORTEST: Duration = Duration::from_millis(10);
/// While all that is due is of accounts that have as many calls under way as they may, perhaps in other workers.
const CROWDED: Duration = Duration::from_millis(100);

/// Makes calls until the worker drains, then finishes those under way.
pub(crate) async fn run(
    store: Store,
    client: OutboundClient,
    told_to_drain: Arc<AtomicBool>,
    mut draining: watch::Receiver<bool>,
) {
    let mut calls = JoinSet::new();
    tokio::select! {
        () = claim_and_deliver(&store, &client, &told_to_drain, &mut calls) => {}
        _ = draining.wait_for(|draining| *draining) => {}
    }
    while calls.join_next().await.is_some() {}
}

async fn claim_and_deliver(
    store: &Store,
    client: &OutboundClient,
    told_to_drain: &AtomicBool,
    calls: &mut JoinSet<()>,
) {
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let mut pause = Backoff::default();
    loop {
        while calls.try_join_next().is_some() {}
        if told_to_drain.load(Ordering::Acquire) {
            tokio::time::sleep(LONGEST).await;
            continue;
        }
        match claim(store, &free).await {
            Ok(claimed) => {
                pause = Backoff::default();
                let wait = match claimed {
                    Claimed::Calls(claimed) => {
                        for callback in claimed {
                            let permit = free.clone().acquire_owned().await.expect("it is never closed");
                            let (store, client) = (store.clone(), client.clone());
                            calls.spawn(async move {
                                deliver(&store, &client, &callback).await;
                                drop(permit);
                            });
                        }
                        continue;
                    }
                    Claimed::Nothing { next_in } => {
                        let longest = if store.hears_others() { LONGEST } else { LONGEST_UNTOLD };
                        next_in.unwrap_or(longest).clamp(SHORTEST, longest)
                    }
                    Claimed::Crowded => CROWDED,
                };
                // Whichever comes first.
                tokio::select! {
                    _ = tokio::time::timeout(wait, store.callback_wake().hinted()) => {}
                    Some(_) = calls.join_next(), if wait == CROWDED => {}
                }
            }
            Err(error) => {
                pause.report(&error, "cannot look for calls to be made; trying again");
                pause.wait().await;
            }
        }
    }
}

enum Claimed {
    Calls(Vec<Callback>),
    Nothing {
        next_in: Option<Duration>,
    },
    /// Some are due, and may not be made yet.
    Crowded,
}

async fn claim(store: &Store, free: &Semaphore) -> Result<Claimed, StoreError> {
    // One statement while there is nothing to do.
    let next_in = store.next_callback_in().await?;
    if next_in.is_none_or(|next_in| !next_in.is_zero()) {
        return Ok(Claimed::Nothing { next_in });
    }
    // One at least: then the next look waits for a free place.
    let room = free.available_permits().max(1);
    let claimed = store.claim_callbacks(room, LEASE).await?;
    Ok(if claimed.is_empty() { Claimed::Crowded } else { Claimed::Calls(claimed) })
}

async fn deliver(store: &Store, client: &OutboundClient, callback: &Callback) {
    let (is_delivered, answer) = match authorization(store, callback).await {
        Ok(authorization) => call(client, callback, authorization).await,
        Err(error) => {
            tracing::error!(account.id = %callback.account, error = %error, "a call cannot be signed");
            (false, "It could not be signed.".to_owned())
        }
    };
    let delivery = if is_delivered { Delivery::Delivered } else { next_attempt(callback, clock::now()) };
    MEASURES.settled(delivery);
    if delivery == Delivery::GivenUp {
        tracing::warn!(account.id = %callback.account, callback.id, answer, "a call is given up after a day");
    }
    let mut pause = Backoff::default();
    while let Err(error) = store.settle_callback(callback, delivery, &answer).await {
        if !error.may_pass() {
            tracing::error!(callback.id, error = %error, "cannot write down what came of a call");
            return;
        }
        pause.report(&error, "cannot write down what came of a call; trying again");
        pause.wait().await;
    }
}

/// The signature, made anew for every attempt (Workflows API 9.7); `None` for accounts that sign nothing.
async fn authorization(store: &Store, callback: &Callback) -> Result<Option<String>, StoreError> {
    let Some(signature) = store.find_signature(&callback.account).await? else { return Ok(None) };
    let signed = signature.secret.map(|secret| {
        let (body, signer) = (callback.body.as_bytes(), callback.signer.map(|id| id.to_string()));
        sign_webhook(&secret, &signature.api_key, signer.as_deref(), body, clock::now(), Uuid::new_v4())
    });
    Ok(signed.map(|token| format!("Bearer {token}")))
}

/// Whether it was taken, and the answer in words.
async fn call(client: &OutboundClient, callback: &Callback, authorization: Option<String>) -> (bool, String) {
    let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    headers.extend(authorization.map(|authorization| ("Authorization".to_owned(), authorization)));
    let request = OutboundRequest {
        method: "POST".to_owned(),
        url: callback.url.clone(),
        headers,
        body: Some(callback.body.clone().into_bytes()),
        timeout: TIMEOUT,
        follow_redirects: false,
    };
    match client.send(request).await {
        Ok(response) => (response.is_success(), format!("{} {}", response.status, response.reason)),
        Err(error) => (false, error.to_string()),
    }
}

/// 5, 10, 20, … 640 s, then every 900 s until a day after the first attempt.
fn next_attempt(callback: &Callback, now: DateTime<Utc>) -> Delivery {
    const LAST: chrono::TimeDelta = chrono::TimeDelta::hours(24);
    let doublings = u32::try_from(callback.attempt - 1).unwrap_or_default();
    let pause = if doublings < 8 { 5 << doublings } else { 900 };
    let pause = Duration::from_secs(pause);
    if now + pause > callback.first_attempt_at + LAST { Delivery::GivenUp } else { Delivery::Again(pause) }
}

#[cfg(test)]
mod tests {
    use trunkline_workflow::AccountId;

    use super::*;

    #[test]
    fn pauses_double_and_then_are_a_quarter_of_an_hour_for_a_day() {
        let first_attempt_at = DateTime::UNIX_EPOCH;
        let callback = |attempt| Callback {
            id: 1,
            account: AccountId::new("acme"),
            signer: None,
            url: String::new(),
            body: String::new(),
            attempt,
            first_attempt_at,
        };
        let mut now = first_attempt_at;
        let mut pauses = Vec::new();
        for attempt in 1.. {
            let Delivery::Again(pause) = next_attempt(&callback(attempt), now) else { break };
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses[..10], [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        let all: u64 = pauses.iter().sum();
        assert!((86_400 - 900..=86_400).contains(&all), "{all}");
    }
}
