//! How much a script may use (spec 4.4).

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of one script.
    pub timeout: Duration,
    /// Memory of an account's sandbox, beyond what an empty one takes.
    pub memory_bytes: usize,
    /// Stack of the engine: some hundred nested calls.
    pub stack_bytes: usize,
    /// A result as compact JSON.
    pub result_bytes: usize,
    /// All results of one call together.
    pub total_bytes: usize,
    /// Nested arrays and objects of a result.
    pub depth: usize,
    /// Sandboxes that a child keeps, one per account; an unused one takes 200 KB.
    pub sandboxes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_millis(500),
            memory_bytes: 16 * 1024 * 1024,
            stack_bytes: 256 * 1024,
            result_bytes: 256 * 1024,
            total_bytes: 4 * 1024 * 1024,
            depth: 64,
            sandboxes: 256,
        }
    }
}
