//! Batches that are at the same instances at once.

use std::collections::HashSet;

use futures::stream::{self, StreamExt};
use serde_json::json;
use trunkline_store::batches::Marks;

use super::batches::{batch, failed_instances, gated};
use crate::support::{TestApp, until};

/// No worker: the test decides the items, those of the same instance at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_batches_at_once_the_second_skips_what_the_first_runs_again() {
    let app = TestApp::start().await;
    let store = app.store();
    let definition = app.define(gated()).await;
    failed_instances(&app, &definition, 40).await;
    let body = json!({"action": "rerun", "filter": {"definitionId": definition}, "rate": 1000});
    for _ in 0..2 {
        batch(&app, body.clone()).await;
    }
    let count = async |query: &'static str| -> i64 {
        sqlx::query_scalar(query).fetch_one(store.pool()).await.unwrap()
    };
    until("every item is decided", async || {
        sqlx::query("update batches set next_at = now()").execute(store.pool()).await.unwrap();
        let slots = store.reserve_slots(&HashSet::new(), &mut Marks::default()).await.unwrap();
        let mut items: Vec<_> = slots
            .iter()
            .flat_map(|slot| slot.items.iter().map(|n| (*n, slot.batch.as_ref().unwrap())))
            .collect();
        items.sort_by_key(|(n, _)| *n);
        let at_once = store.batch_connections().max(2);
        let deciding = items.into_iter().map(|(n, batch)| store.decide_item(batch, n));
        let decided: Vec<_> = stream::iter(deciding).buffer_unordered(at_once).collect().await;
        decided.into_iter().for_each(Result::unwrap);
        count("select count(*) from batch_items where state = 'pending'").await == 0
    })
    .await;
    assert_eq!(count("select count(*) from reruns").await, 40, "each once");
    assert_eq!(count("select count(distinct origin) from reruns").await, 40);
    assert_eq!(count("select count(*) from batch_items where state = 'done'").await, 40);
    let skipped =
        "select count(*) from batch_items where state = 'skipped' and reason ~ '^It was run again before'";
    assert_eq!(count(skipped).await, 40);
    let violations = store.verify().await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
}
