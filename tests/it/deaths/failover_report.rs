//! `kill -9` of a worker around the end of a workflow: it ends once, and is reported once.

use trunkline_workflow::dispatch::Status::Delivered;

use super::blockade::{Blockade, COMPLETION};
use super::failover_house::{House, handed_in, provider, two};
use crate::support::{Endpoint, until};

const ROUNDS: usize = 4;

async fn has(provider: &Endpoint, count: usize) -> uuid::Uuid {
    until("the message is handed in", || async { handed_in(provider).len() == count }).await;
    handed_in(provider)[count - 1]
}

/// In every other round the database still does what the dead worker asked it last.
async fn end(blockade: Blockade, round: usize) {
    if round.is_multiple_of(2) {
        blockade.cut_off().await;
    }
    blockade.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_the_decision_is_written_decides_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        let dispatch = house.begin(two(600)).await;
        let message = has(&provider, round + 1).await;
        house.waits(dispatch).await;
        let blockade = Blockade::of_table(house.app.store(), "steps").await;
        house.says(message, Delivered).await;
        blockade.meets(COMPLETION).await;
        house.kill_holder(dispatch).await;
        end(blockade, round).await;
        house.ends(dispatch, "completed").await;
    }
    assert_eq!(handed_in(&provider).len(), ROUNDS);
    house.finish().await;
}

/// The outcome is written in a transaction with the report, which is not committed when the worker dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_writes_the_report_reports_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        let dispatch = house.begin(two(600)).await;
        let message = has(&provider, round + 1).await;
        house.waits(dispatch).await;
        let blockade = Blockade::of(house.app.store(), &report_of(dispatch)).await;
        house.says(message, Delivered).await;
        blockade.meets("insert into callbacks").await;
        house.kill_holder(dispatch).await;
        end(blockade, round).await;
        house.ends(dispatch, "completed").await;
    }
    house.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_the_report_and_the_end_reports_once() {
    let provider = provider().await;
    let mut house = House::start(&provider.url, 2).await;
    for round in 0..ROUNDS {
        let dispatch = house.begin(two(600)).await;
        let message = has(&provider, round + 1).await;
        house.waits(dispatch).await;
        let report = Blockade::of(house.app.store(), &report_of(dispatch)).await;
        house.says(message, Delivered).await;
        report.meets("insert into callbacks").await;
        let completion = Blockade::of_table(house.app.store(), "steps").await;
        report.lift().await;
        completion.meets(COMPLETION).await;
        house.kill_holder(dispatch).await;
        end(completion, round).await;
        house.ends(dispatch, "completed").await;
    }
    house.finish().await;
}

/// A report of the workflow that is never committed: whoever writes the true one waits for what becomes of it.
fn report_of(dispatch: uuid::Uuid) -> String {
    format!(
        "insert into callbacks (account_id, subject, event, body, state)
         values ('acme', '{dispatch}', 'report', '', 'skipped')"
    )
}
