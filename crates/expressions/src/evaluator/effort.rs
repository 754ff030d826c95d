//! What the scripts of one call have cost so far.

use std::time::Instant;

use super::EvaluationError;
use crate::Limits;
use crate::native::Excess;

/// The clock is read once per so many scripts of the fast path; each of them is short.
const SCRIPTS_PER_LOOK: usize = 64;

pub(super) struct Effort {
    limits: Limits,
    bytes: usize,
    scripts: usize,
    started: Option<Instant>,
}

impl Effort {
    pub fn new(limits: Limits) -> Effort {
        Effort { limits, bytes: 0, scripts: 0, started: None }
    }

    /// Counts a result, and says when the results have become too many bytes together.
    pub fn add_bytes(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.bytes += bytes;
        if self.bytes > self.limits.total_bytes {
            return Err(EvaluationError::script(&Excess::Total(self.limits.total_bytes)));
        }
        Ok(())
    }

    /// Counts a script of the fast path, and says when all of them together have taken the time of one.
    pub fn add_script(&mut self) -> Result<(), EvaluationError> {
        self.scripts += 1;
        if self.scripts.is_multiple_of(SCRIPTS_PER_LOOK) {
            let started = *self.started.get_or_insert_with(Instant::now);
            if started.elapsed() > self.limits.timeout {
                let timeout = self.limits.timeout.as_millis();
                return Err(EvaluationError::script(&format!("The scripts ran longer than {timeout} ms.")));
            }
        }
        Ok(())
    }
}
