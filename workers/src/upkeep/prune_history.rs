//! Ended instances leave after the retention, whole weeks at a time.

use std::time::Duration;

use trunkline_store::{Store, StoreError};

pub(super) async fn run(store: Store, retention: Duration) -> Result<(), StoreError> {
    store.prune_history(retention).await.map(|_| ())
}
