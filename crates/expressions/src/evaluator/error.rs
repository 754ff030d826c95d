//! Why an evaluation gave no value.

use crate::template::Script;

/// Characters of a script that a fault repeats.
const SHOWN: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The script is at fault, and would be again: the step fails with this text (spec 2.17.6).
    #[error("Failed to evaluate the expression. Error: {detail}")]
    Script { detail: String },
    /// There was nobody to evaluate it; trying again later can help.
    #[error("no evaluator is available: {reason}")]
    Unavailable { reason: String },
}

impl EvaluationError {
    pub(crate) fn script(detail: &(impl ToString + ?Sized)) -> EvaluationError {
        EvaluationError::Script { detail: detail.to_string() }
    }

    /// A detail of one script, which it names.
    pub(crate) fn in_script(detail: &str, script: &Script) -> EvaluationError {
        let mut written = script.written.chars();
        let mut shown: String = written.by_ref().take(SHOWN).collect();
        if written.next().is_some() {
            shown.push('…');
        }
        EvaluationError::Script { detail: format!("{}, in `{shown}`.", detail.trim_end_matches('.')) }
    }

    pub(crate) fn unavailable(reason: &(impl ToString + ?Sized)) -> EvaluationError {
        EvaluationError::Unavailable { reason: reason.to_string() }
    }
}
