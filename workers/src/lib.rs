//! The worker: claims jobs, executes them, completes them. See `README.md` for a worker's life.

mod aside;
mod await_event;
mod claim_jobs;
mod complete_jobs;
mod connectors;
mod contexts;
mod definitions;
mod deliver_callbacks;
mod execute;
mod history_policies;
mod lease;
mod limits;
mod measure;
mod queue;
mod remembered;
mod settings;
#[cfg(test)]
mod simulation;
mod slots;
mod steps;
mod tell_history;
mod tools;
mod turns;
mod upkeep;
mod worker;

pub use queue::FRAME_LOG_TARGET;
pub use settings::Settings;
pub use tools::{ConnectorUse, HistoryLimit, InterruptedSends, Rules, TextAnswers, Tools};
pub use worker::{Broken, run};
