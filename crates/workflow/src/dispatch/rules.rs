//! What an operator can set about the checks of requests.

/// The default is what the specification recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Steps that a workflow may have (U6).
    pub most_steps: usize,
    pub strictness: Strictness,
}

/// About waiting for what can never come (Dispatch 4.6, U2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// `read` may be waited for on every channel; where it never comes, the step fails over when it expires.
    #[default]
    Lenient,
    /// `read` is refused on channels that never report it.
    Strict,
}

impl Default for Rules {
    fn default() -> Self {
        Self { most_steps: 25, strictness: Strictness::default() }
    }
}
