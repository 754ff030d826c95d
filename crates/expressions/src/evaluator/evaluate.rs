//! The evaluator as its users see it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::after::{After, AfterResult, evaluate_after};
use super::inputs::evaluate_inputs;
use super::pool::Pool;
use super::{EvaluationError, EvaluatorCommand};
use crate::native::{Scope, Stop, evaluate_leaf};
use crate::template::{Leaf, Script};
use crate::{Limits, Template};

/// A handle to the evaluator children; clones share them. They start when they are first needed, and end
/// when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Evaluator {
    pub(super) pool: Arc<Pool>,
    pub(super) limits: Limits,
    fast_path: bool,
}

impl Evaluator {
    /// An evaluator with at most so many children (one per processor core does well), and one for all accounts
    /// whose scripts are slow; `command` starts them.
    pub fn new(command: EvaluatorCommand, children: usize, limits: Limits) -> Evaluator {
        Evaluator { pool: Arc::new(Pool::new(command, children, limits)), limits, fast_path: true }
    }

    /// Has every script evaluated by QuickJS. Results do not differ; tests see to that by this.
    #[must_use]
    pub fn without_fast_path(mut self) -> Evaluator {
        self.fast_path = false;
        self
    }

    /// Evaluates the inputs of a step, which see `data` and an empty `step`. A template without scripts, or
    /// with simple ones, is evaluated at once, without a child.
    pub async fn inputs(
        &self,
        account: &str,
        template: &Template,
        data: &Map<String, Value>,
    ) -> Result<Value, EvaluationError> {
        evaluate_inputs(self, account, template, data).await
    }

    /// Evaluates what comes after a step's activity: its outputs and then its conditions.
    pub async fn after(
        &self,
        account: &str,
        after: &After,
        data: &Map<String, Value>,
        step: &Value,
    ) -> Result<AfterResult, EvaluationError> {
        evaluate_after(self, account, after, data, step).await
    }

    /// The value of a leaf and its size, when the fast path can tell. A fault is one of the script that a
    /// child would be sent.
    pub(super) fn at_once<'a>(
        &self,
        leaf: &Leaf,
        scope: Scope<'_>,
        sent: impl FnOnce() -> &'a Script,
    ) -> Result<Option<(Value, usize)>, EvaluationError> {
        if !self.fast_path {
            return Ok(None);
        }
        match evaluate_leaf(leaf, scope, &self.limits) {
            Ok(result) => Ok(Some(result)),
            Err(Stop::Unsure) => Ok(None),
            Err(Stop::Fault(detail)) => Err(EvaluationError::in_script(&detail, sent())),
        }
    }
}
