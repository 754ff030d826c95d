//! The history's coming weeks get their partitions ahead of time.

use trunkline_store::{Store, StoreError};

pub(super) async fn run(store: Store) -> Result<(), StoreError> {
    store.ensure_partitions().await
}
