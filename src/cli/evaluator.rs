//! `trunkline evaluator`: what workers start to evaluate scripts in. Not for people.

/// Evaluates scripts for the worker that started it
#[derive(Debug, clap::Args)]
pub struct EvaluatorChild {}

impl EvaluatorChild {
    pub(super) fn run() -> ! {
        // Ctrl-C in the terminal is for the worker, which still needs us while it drains. Who leads a process
        // group already is in nobody's way.
        let _session = rustix::process::setsid();
        trunkline_expressions::run_child()
    }
}
