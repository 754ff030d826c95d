//! Why an evaluation gave no value.

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

    pub(crate) fn unavailable(reason: &(impl ToString + ?Sized)) -> EvaluationError {
        EvaluationError::Unavailable { reason: reason.to_string() }
    }
}
