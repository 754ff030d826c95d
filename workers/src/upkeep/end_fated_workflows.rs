//! Workflows of the Workflows API that a fault ended, or whose parent is gone, are reported or cancelled.

use trunkline_store::clock;
use trunkline_store::{Store, StoreError};
use trunkline_workflow::dispatch::Price;

pub(super) async fn run(store: Store, fee: Price) -> Result<(), StoreError> {
    // A batch that ends none would come again at once.
    while store.end_fated(fee, clock::now()).await? > 0 {}
    Ok(())
}
