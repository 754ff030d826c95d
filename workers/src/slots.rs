//! What a worker holds: one slot per instance, from the claim of its path to the path's end here. (One path
//! of an instance is at work at a time, so the instance names the slot.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use trunkline_workflow::InstanceId;

#[derive(Debug, Clone)]
pub(crate) struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    /// How often each is held: twice when a job was lost with one lease and claimed again under the next.
    used: Mutex<HashMap<InstanceId, usize>>,
    freed: Notify,
}

/// A slot in use; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Arc<Shared>,
    instance: InstanceId,
}

impl Shared {
    fn used<T>(&self, look: impl FnOnce(&mut HashMap<InstanceId, usize>) -> T) -> T {
        look(&mut self.used.lock().expect("nothing panics while it holds this"))
    }
}

impl Slots {
    pub(crate) fn new(total: usize) -> Self {
        Self { shared: Arc::new(Shared { total, used: Mutex::default(), freed: Notify::new() }) }
    }

    pub(crate) fn free(&self) -> usize {
        self.shared.total.saturating_sub(self.shared.used(|used| used.len()))
    }

    pub(crate) fn take(&self, instance: InstanceId) -> Slot {
        self.shared.used(|used| *used.entry(instance).or_default() += 1);
        Slot { shared: self.shared.clone(), instance }
    }

    pub(crate) fn in_use(&self) -> Vec<InstanceId> {
        self.shared.used(|used| used.keys().copied().collect())
    }

    /// Until a slot is freed; one that was freed since the last call counts.
    pub(crate) async fn freed(&self) {
        self.shared.freed.notified().await;
    }

    pub(crate) fn all_free(&self) -> bool {
        self.shared.used(|used| used.is_empty())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.used(|used| {
            if let Some(held) = used.get_mut(&self.instance) {
                *held -= 1;
                if *held == 0 {
                    used.remove(&self.instance);
                }
            }
        });
        self.shared.freed.notify_one();
    }
}
