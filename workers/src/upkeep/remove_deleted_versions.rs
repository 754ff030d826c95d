//! Deleted definition versions leave with everything that belongs to them (spec 2.6).

use trunkline_store::{Store, StoreError};

pub(super) async fn run(store: Store) -> Result<(), StoreError> {
    store.remove_deleted_versions().await.map(|_| ())
}
