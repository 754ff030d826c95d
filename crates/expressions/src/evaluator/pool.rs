//! The children of an evaluator: who is free, and what to do when one is lost.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Semaphore;

use super::EvaluationError;
use super::EvaluatorCommand;
use super::child::{Child, Lost};
use super::slow_accounts::SlowAccounts;
use super::spawn_children::Spawner;
use crate::Limits;
use crate::protocol::{MAX_FRAME_BYTES, Reply};
use crate::template::Script;

/// Of a processor that everybody wants they get a tenth of what others do.
const NICENESS_OF_SLOW: i32 = 10;

/// A child has one request at a time, so that one which must be killed takes nobody else's request with it.
#[derive(Debug)]
pub(super) struct Pool {
    spawner: Spawner,
    limits: Limits,
    /// As many permits as children may be busy, besides that of slow accounts.
    free: Semaphore,
    idle: Mutex<Vec<Idle>>,
    slow: SlowAccounts,
}

#[derive(Debug)]
pub(super) struct Idle {
    child: Child,
    /// The account whose sandbox it used last.
    account: String,
}

impl Pool {
    pub fn new(command: EvaluatorCommand, children: usize, limits: Limits) -> Pool {
        Pool {
            spawner: Spawner::new(command),
            limits,
            free: Semaphore::new(children.max(1)),
            idle: Mutex::default(),
            slow: SlowAccounts::new(),
        }
    }

    /// Has a request answered. `frame` writes it, with the sources of all functions but the known ones;
    /// `scripts` are the functions in it.
    pub async fn evaluate(
        &self,
        account: &str,
        scripts: &[&Script],
        frame: impl Fn(&HashSet<u64>) -> Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, EvaluationError> {
        loop {
            if let Some(mut turn) = self.slow.turn(account).await {
                return self.evaluate_at(&mut turn.place, NICENESS_OF_SLOW, account, scripts, &frame).await;
            }
            let _permit = self.free.acquire().await.expect("this semaphore is never closed");
            if self.slow.is_slow(account) {
                continue;
            }
            let mut place = take(&self.idle, account);
            let results = self.evaluate_at(&mut place, 0, account, scripts, &frame).await;
            lock(&self.idle).extend(place);
            return results;
        }
    }

    /// By the child in this place, or by a new one, which is put there if it is still of use.
    async fn evaluate_at(
        &self,
        place: &mut Option<Idle>,
        niceness: i32,
        account: &str,
        scripts: &[&Script],
        frame: &impl Fn(&HashSet<u64>) -> Option<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, EvaluationError> {
        // Of several only the child knows which one was at fault.
        let fault_of_one = |detail: &str| match scripts {
            [script] => EvaluationError::in_script(detail, script),
            _ => EvaluationError::script(detail),
        };
        // A child may end through no fault of the script; a script that ends two children is at fault.
        for _ in 0..2 {
            let mut child = match place.take() {
                Some(idle) => idle.child,
                None => self.start(niceness).await?,
            };
            match converse(&mut child, scripts, frame).await? {
                Ok(reply) => {
                    if matches!(reply, Reply::Done { slow: true, .. } | Reply::Fault { slow: true, .. }) {
                        self.slow.remember(account);
                    }
                    *place = Some(Idle { child, account: account.to_owned() });
                    return results(reply, scripts);
                }
                Err(Lost::TimedOut) => {
                    self.slow.remember(account);
                    let timeout = self.limits.timeout.as_millis();
                    return Err(fault_of_one(&format!("The script ran longer than {timeout} ms.")));
                }
                // Whose fault it is nobody knows.
                Err(Lost::Starved) => {
                    return Err(EvaluationError::unavailable("the machine did not let it run"));
                }
                Err(Lost::Ended(error)) => tracing::warn!(%error, "an evaluator child ended"),
            }
        }
        self.slow.remember(account);
        Err(fault_of_one("The script ended its evaluator."))
    }

    async fn start(&self, niceness: i32) -> Result<Child, EvaluationError> {
        let child = Child::start(&self.spawner, self.limits, niceness).await;
        child.map_err(|error| EvaluationError::unavailable(&error))
    }
}

/// A child that nobody uses, if possible the one that knows the account.
fn take(idle: &Mutex<Vec<Idle>>, account: &str) -> Option<Idle> {
    let mut idle = lock(idle);
    let same = idle.iter().position(|idle| idle.account == account);
    let at = same.or_else(|| idle.len().checked_sub(1))?;
    Some(idle.swap_remove(at))
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().expect("nothing panics while it holds this lock")
}

/// Asks a child, a second time with all sources if it has forgotten some.
async fn converse(
    child: &mut Child,
    scripts: &[&Script],
    frame: impl Fn(&HashSet<u64>) -> Option<Vec<u8>>,
) -> Result<Result<Reply, Lost>, EvaluationError> {
    let too_large = || EvaluationError::script(&format!("The data is larger than {MAX_FRAME_BYTES} bytes."));
    let request = frame(&child.known).ok_or_else(too_large)?;
    let mut reply = child.ask(&request).await;
    if matches!(reply, Ok(Reply::Missing { .. })) {
        let request = frame(&HashSet::new()).ok_or_else(too_large)?;
        reply = child.ask(&request).await;
    }
    if reply.is_ok() {
        child.remember(scripts.iter().map(|script| script.id));
    }
    Ok(reply)
}

fn results(reply: Reply, scripts: &[&Script]) -> Result<Vec<Vec<u8>>, EvaluationError> {
    match reply {
        Reply::Done { results, .. } => Ok(results),
        Reply::Fault { detail, call, .. } => Err(match call.and_then(|call| scripts.get(call)) {
            Some(script) => EvaluationError::in_script(&detail, script),
            None => EvaluationError::Script { detail },
        }),
        Reply::Ready | Reply::Progress { .. } | Reply::Missing { .. } => {
            Err(EvaluationError::unavailable("an evaluator child answered out of turn"))
        }
    }
}
