//! `kill -9` of a worker that makes a call: another one makes it, with the same bytes, and those behind it wait.

use trunkline_workflow::dispatch::Status::{Delivered, Read};

use super::blockade::Blockade;
use super::failover_house::{House, handed_in, provider, two};
use crate::support::until;

const ROUNDS: usize = 3;

/// The receiver has it, and has not answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_makes_a_call_is_replaced() {
    let provider = provider().await;
    // Alone, so that it is known whose call it is.
    let mut house = House::start(&provider.url, 1).await;
    for round in 0..ROUNDS {
        let before = house.receiver.received().len();
        house.receiver.hold_answers();
        let dispatch = house.begin(two(600)).await;
        until("the call is made", || async { house.receiver.received().len() == before + 1 }).await;
        let message = handed_in(&provider)[round];
        house.waits(dispatch).await;
        house.kill(0);
        house.receiver.give_answers();
        house.says(message, Read).await;
        house.says(message, Delivered).await;
        house.ends(dispatch, "completed").await;
        until("the call is made again, and then those behind it", || async {
            house.hurry_callbacks().await;
            house.receiver.received().len() == before + 5
        })
        .await;
        let received = house.receiver.received().split_off(before);
        let of_message: Vec<_> =
            received.iter().filter(|request| request.json()["message_uuid"].is_string()).collect();
        assert_eq!(of_message[0].body, of_message[1].body);
        let told: Vec<_> = of_message.iter().map(|request| request.json()["status"].clone()).collect();
        assert_eq!(told, ["submitted", "submitted", "read", "delivered"]);
    }
    house.finish().await;
}

/// The receiver has answered, and nobody has written it down: it is told once more, and nothing is left out.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_it_wrote_the_answer_down_is_replaced() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 1).await;
    for round in 0..ROUNDS {
        let before = house.receiver.received().len();
        house.receiver.hold_answers();
        let dispatch = house.begin(two(600)).await;
        until("the call is made", || async { house.receiver.received().len() == before + 1 }).await;
        house.waits(dispatch).await;
        let pending = "select from callbacks where state = 'pending' for update";
        let blockade = Blockade::of(house.app.store(), pending).await;
        house.receiver.give_answers();
        blockade.meets("update callbacks").await;
        house.kill(0);
        if round.is_multiple_of(2) {
            blockade.cut_off().await;
        }
        blockade.lift().await;
        let message = handed_in(&provider)[round];
        house.says(message, Delivered).await;
        house.ends(dispatch, "completed").await;
        until("everything is told", || async {
            house.hurry_callbacks().await;
            house.receiver.received().len() == before + 4
        })
        .await;
    }
    house.finish().await;
}
