//! `kill -9` of a worker at each point of a send: before the provider has the message, after it has it but before
//! that is written down, after that is written down but before the step completes. The provider gets no message
//! twice, and no workflow stops.
//!
//! In every other round the database still does what the dead worker asked it last.

use trunkline_workflow::dispatch::Status::{self, Delivered};
use uuid::Uuid;

use super::blockade::{Blockade, COMPLETION};
use super::failover_house::{House, handed_in, provider, two};
use crate::support::{Endpoint, until};

const ROUNDS: usize = 4;

/// What the dead worker's last statement comes to.
fn is_lost(round: usize) -> bool {
    round.is_multiple_of(2)
}

/// The blockade is over; what waits at it got lost, or is done.
async fn end(blockade: Blockade, lost: bool) {
    if lost {
        blockade.cut_off().await;
    }
    blockade.lift().await;
}

async fn until_handed_in(provider: &Endpoint, count: usize) -> Uuid {
    until("the message is handed in", || async { handed_in(provider).len() >= count }).await;
    let handed_in = handed_in(provider);
    assert_eq!(handed_in.len(), count, "{handed_in:?}");
    handed_in[count - 1]
}

/// The message reaches its recipient, and the workflow its end.
async fn succeed(house: &House, dispatch: Uuid, message: Uuid, told: &[Status]) {
    house.waits(dispatch).await;
    house.says(message, Delivered).await;
    house.ends(dispatch, "completed").await;
    let told: Vec<&str> = told.iter().map(|status| status.as_str()).collect();
    assert_eq!(house.told(message).await, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_the_message_is_handed_in_loses_no_workflow() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    let mut sent = 0;
    for round in 0..ROUNDS {
        let blockade = Blockade::of_table(house.app.store(), "messages").await;
        let dispatch = house.begin(two(600)).await;
        blockade.meets("insert into messages").await;
        house.kill_holder(dispatch).await;
        end(blockade, is_lost(round)).await;
        if !is_lost(round) {
            // It was written down that it would be sent, and nobody can tell that it was not.
            house.deadline_passes(dispatch).await;
        }
        sent += 1;
        let message = until_handed_in(&provider, sent).await;
        succeed(&house, dispatch, message, &[Status::Submitted, Delivered]).await;
    }
    assert_eq!(handed_in(&provider).len(), ROUNDS);
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_the_provider_took_the_message_does_not_have_it_sent_again() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    let mut sent = 0;
    for round in 0..ROUNDS {
        provider.hold_answers();
        let dispatch = house.begin(two(600)).await;
        sent += 1;
        let first = until_handed_in(&provider, sent).await;
        house.kill_holder(dispatch).await;
        provider.give_answers();
        house.waits(dispatch).await;
        if is_lost(round) {
            // The provider never says that it has it: the deadline decides.
            house.deadline_passes(dispatch).await;
            sent += 1;
            let second = until_handed_in(&provider, sent).await;
            assert_ne!(first, second);
            succeed(&house, dispatch, second, &[Status::Submitted, Delivered]).await;
            assert!(house.told(first).await.is_empty());
        } else {
            succeed(&house, dispatch, first, &[Delivered]).await;
        }
    }
    assert_eq!(handed_in(&provider).len(), sent);
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_it_noted_the_answer_does_not_have_the_message_sent_again() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        provider.hold_answers();
        let dispatch = house.begin(two(600)).await;
        let message = until_handed_in(&provider, round + 1).await;
        let blockade = Blockade::of_table(house.app.store(), "messages").await;
        provider.give_answers();
        blockade.meets("insert into messages as m").await;
        house.kill_holder(dispatch).await;
        end(blockade, is_lost(round)).await;
        house.waits(dispatch).await;
        house.says(message, Delivered).await;
        house.ends(dispatch, "completed").await;
        assert_eq!(handed_in(&provider).len(), round + 1);
    }
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_the_send_completes_has_told_of_it_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        // What became of the message is written, the step's completion is not.
        let blockade = Blockade::of_table(house.app.store(), "steps").await;
        let dispatch = house.begin(two(600)).await;
        let message = until_handed_in(&provider, round + 1).await;
        blockade.meets(COMPLETION).await;
        house.kill_holder(dispatch).await;
        end(blockade, is_lost(round)).await;
        succeed(&house, dispatch, message, &[Status::Submitted, Delivered]).await;
        assert_eq!(handed_in(&provider).len(), round + 1);
    }
    house.finish().await;
}

/// The refusal is written down and told, and the worker dies before the next message is begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_after_a_refusal_fails_over_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        provider.script(
            super::failover_house::MESSAGES,
            &[
                (422, serde_json::json!({"type": "x#1120", "title": "Invalid sender"})),
                (202, serde_json::json!({"message_uuid": "p"})),
            ],
        );
        let blockade = Blockade::of_table(house.app.store(), "steps").await;
        let dispatch = house.begin(two(600)).await;
        let first = until_handed_in(&provider, 2 * round + 1).await;
        blockade.meets(COMPLETION).await;
        house.kill_holder(dispatch).await;
        end(blockade, is_lost(round)).await;
        let second = until_handed_in(&provider, 2 * round + 2).await;
        assert_eq!(house.told(first).await, ["rejected"]);
        succeed(&house, dispatch, second, &[Status::Submitted, Delivered]).await;
    }
    house.finish().await;
}
