//! Evaluates templates: the fast path here, the rest in a pool of child processes.

mod after;
mod assigned_data;
mod child;
mod effort;
mod error;
mod evaluate;
mod inputs;
mod pool;
mod processor_time;
mod slow_accounts;
mod spawn_children;

pub use after::{After, AfterResult};
pub use error::EvaluationError;
pub use evaluate::Evaluator;
pub use spawn_children::EvaluatorCommand;
