//! `trunkline evaluator`: what workers start to evaluate scripts in. Not for people.

/// Evaluates scripts for the worker that started it
#[derive(Debug, clap::Args)]
pub struct EvaluatorChild {}

impl EvaluatorChild {
    pub(super) fn run() -> ! {
        trunkline_expressions::run_child()
    }
}
