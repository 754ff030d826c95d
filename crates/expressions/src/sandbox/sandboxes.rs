//! The sandboxes that a child keeps: one per account, those that were used last.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use super::clock::processor_time;
use super::failure::Failure;
use super::sandbox_of_account::Sandbox;
use crate::Limits;
use crate::protocol::{Action, Reply};

/// A request is slow from this part of the time of a script on: who stays below the limit takes the processors from
/// others as well.
const SLOW: u32 = 4;

pub(super) struct Sandboxes {
    limits: Limits,
    kept: HashMap<String, Kept>,
    /// One that no account has used, made while nobody waits.
    spare: Option<Sandbox>,
    uses: u64,
}

struct Kept {
    sandbox: Sandbox,
    last_use: u64,
}

impl Sandboxes {
    pub fn new(limits: Limits) -> Sandboxes {
        Sandboxes { limits, kept: HashMap::new(), spare: None, uses: 0 }
    }

    /// Makes a sandbox for the next account that has none: that takes longer than most requests.
    pub fn prepare(&mut self) -> io::Result<()> {
        if self.spare.is_none() {
            self.spare = Some(Sandbox::new(self.limits)?);
        }
        Ok(())
    }

    /// Evaluates a request; `progress` is called between long scripts with the time used so far.
    pub fn evaluate(
        &mut self,
        account: &str,
        data: &[u8],
        step: &[u8],
        actions: &[Action<'_>],
        progress: impl FnMut(Duration) -> io::Result<()>,
    ) -> io::Result<Reply> {
        let sandbox = self.sandbox(account)?;
        let before = processor_time();
        let outcome = sandbox.evaluate(data, step, actions, progress);
        let used = processor_time();
        let slow = used.saturating_sub(before) > self.limits.timeout / SLOW;
        Ok(match outcome {
            Ok(results) => Reply::Done { used, slow, results },
            Err(Failure::Missing) => Reply::Missing { used },
            Err(Failure::Fault { detail, call }) => Reply::Fault { used, slow, call, detail },
            Err(Failure::Limit { detail, call }) => {
                // What a script left behind when it was stopped is nobody's business.
                self.kept.remove(account);
                Reply::Fault { used, slow, call, detail }
            }
            Err(Failure::Io(error)) => return Err(error),
        })
    }

    fn sandbox(&mut self, account: &str) -> io::Result<&mut Sandbox> {
        self.uses += 1;
        if !self.kept.contains_key(account) {
            if self.kept.len() >= self.limits.sandboxes.max(1) {
                self.forget_oldest();
            }
            let sandbox = match self.spare.take() {
                Some(spare) => spare,
                None => Sandbox::new(self.limits)?,
            };
            self.kept.insert(account.to_owned(), Kept { sandbox, last_use: 0 });
        }
        let kept = self.kept.get_mut(account).expect("it was there or was just put in");
        kept.last_use = self.uses;
        Ok(&mut kept.sandbox)
    }

    fn forget_oldest(&mut self) {
        let oldest =
            self.kept.iter().min_by_key(|(_, kept)| kept.last_use).map(|(account, _)| account.clone());
        if let Some(account) = oldest {
            self.kept.remove(&account);
        }
    }
}
