//! Definitions, instances and the decisions about them. Pure: no IO, no clock, no SQL, no JavaScript.
//!
//! Four things can happen to an instance: it is *started*, one of its jobs *finishes*, an *event* or a due
//! time *resumes* a parked path, somebody *controls* it. Each is one function here that returns plain data;
//! `store` writes that data whole.

pub mod advance;
pub mod context;
pub mod control;
pub mod definition;
pub mod dispatch;
pub mod graph;
pub mod history_policy;
pub mod identity;
pub mod ids;
pub mod inputs;
pub mod limits;
pub mod outcome;
pub mod path;
pub mod rerun;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod status;
pub mod step;
mod step_input;
pub mod strict_json;
pub mod time_zones;
pub mod timespan;
pub mod trigger;

pub use advance::{Transition, advance};
pub use graph::Graph;
pub use ids::{AccountId, DefinitionId, InstanceId, JobId, Version};
pub use outcome::Outcome;
pub use status::{InstanceStatus, StepStatus};
pub use trigger::Trigger;
