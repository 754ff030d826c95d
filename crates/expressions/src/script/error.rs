//! Why a script is refused when a definition is saved.

/// What is wrong with a script (spec 3.8, V13 and V14).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The text between the braces is longer than 1000 characters.
    #[error("the script is longer than 1000 characters")]
    TooLong,
    /// It is no JavaScript expression, or uses something that is not allowed.
    #[error("invalid script: {detail}")]
    Invalid {
        detail: String,
        /// The byte of the script that it is about.
        at: usize,
    },
}

impl ScriptError {
    pub(crate) fn invalid(detail: impl Into<String>, at: usize) -> ScriptError {
        ScriptError::Invalid { detail: detail.into(), at }
    }
}
