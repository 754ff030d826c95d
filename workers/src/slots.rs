//! What a worker holds: one slot per instance, from the claim of its path to the path's end here. (One path
//! of an instance is at work at a time, so the instance names the slot.)

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use trunkline_workflow::{AccountId, InstanceId};

#[derive(Debug, Clone)]
pub(crate) struct Slots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    total: usize,
    used: Mutex<Used>,
    /// Accounts have ready jobs that this worker knows of.
    are_accounts_waiting: AtomicBool,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    /// How often each is held: twice when a job was lost with one lease and claimed again under the next.
    instances: HashMap<InstanceId, usize>,
    accounts: HashMap<AccountId, usize>,
}

/// A slot in use; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot {
    shared: Arc<Shared>,
    instance: InstanceId,
    account: AccountId,
}

impl Shared {
    fn used<T>(&self, look: impl FnOnce(&mut Used) -> T) -> T {
        look(&mut self.used.lock().expect("nothing panics while it holds this"))
    }
}

impl Slots {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                total,
                used: Mutex::default(),
                are_accounts_waiting: AtomicBool::new(false),
                freed: Notify::new(),
            }),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.shared.total.saturating_sub(self.shared.used(|used| used.instances.len()))
    }

    pub(crate) fn take(&self, instance: InstanceId, account: &AccountId) -> Slot {
        self.shared.used(|used| {
            let times = used.instances.entry(instance).or_default();
            *times += 1;
            if *times == 1 {
                match used.accounts.get_mut(account) {
                    Some(held) => *held += 1,
                    None => {
                        used.accounts.insert(account.clone(), 1);
                    }
                }
            }
        });
        Slot { shared: self.shared.clone(), instance, account: account.clone() }
    }

    pub(crate) fn in_use(&self) -> Vec<InstanceId> {
        self.shared.used(|used| used.instances.keys().copied().collect())
    }

    /// What each account holds; those that hold nothing are not there.
    pub(crate) fn of_accounts<T>(&self, look: impl FnOnce(&HashMap<AccountId, usize>) -> T) -> T {
        self.shared.used(|used| look(&used.accounts))
    }

    pub(crate) fn tell_whether_accounts_wait(&self, are_waiting: bool) {
        self.shared.are_accounts_waiting.store(are_waiting, Ordering::Relaxed);
    }

    /// Whether this account has its even share of the slots or more, while others have less and somebody waits.
    pub(crate) fn crowds_others_out(&self, account: &AccountId) -> bool {
        self.shared.are_accounts_waiting.load(Ordering::Relaxed)
            && self.of_accounts(|held| {
                held.len() > 1 && held.get(account).is_some_and(|mine| mine * held.len() >= self.shared.total)
            })
    }

    /// Until a slot is freed; one that was freed since the last call counts.
    pub(crate) async fn freed(&self) {
        self.shared.freed.notified().await;
    }

    pub(crate) fn all_free(&self) -> bool {
        self.shared.used(|used| used.instances.is_empty())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.used(|used| {
            let Some(times) = used.instances.get_mut(&self.instance) else { return };
            *times -= 1;
            if *times > 0 {
                return;
            }
            used.instances.remove(&self.instance);
            if let Some(held) = used.accounts.get_mut(&self.account) {
                *held -= 1;
                if *held == 0 {
                    used.accounts.remove(&self.account);
                }
            }
        });
        self.shared.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(n: u8) -> InstanceId {
        InstanceId::from_bytes(&[n; 12]).unwrap()
    }

    #[test]
    fn an_account_holds_its_instances_once_each() {
        let slots = Slots::new(4);
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        let held = |slots: &Slots| slots.of_accounts(|held| (held.get(&a).copied(), held.get(&b).copied()));
        let first = slots.take(instance(1), &a);
        let again = slots.take(instance(1), &a);
        let other = slots.take(instance(2), &b);
        assert_eq!((slots.free(), held(&slots)), (2, (Some(1), Some(1))));
        drop(first);
        assert_eq!((slots.free(), held(&slots)), (2, (Some(1), Some(1))), "it was claimed under two leases");
        drop(again);
        assert_eq!((slots.free(), held(&slots)), (3, (None, Some(1))));
        drop(other);
        assert!(slots.all_free());
    }

    #[test]
    fn only_who_has_more_than_others_while_somebody_waits_crowds_them_out() {
        let slots = Slots::new(4);
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        let _mine: Vec<Slot> = (0..3).map(|n| slots.take(instance(n), &a)).collect();
        slots.tell_whether_accounts_wait(true);
        assert!(!slots.crowds_others_out(&a), "nobody else is there");
        let _other = slots.take(instance(9), &b);
        assert!(slots.crowds_others_out(&a) && !slots.crowds_others_out(&b));
        slots.tell_whether_accounts_wait(false);
        assert!(!slots.crowds_others_out(&a), "nobody waits");
    }
}
