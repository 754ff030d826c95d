//! `{{ … }}`: templates in the inputs, outputs and conditions of steps, and the scripts in them (section 4
//! of the Automation API specification).
//!
//! A [`Template`] is compiled when a definition is saved; that checks its scripts and rewrites them. An
//! [`Evaluator`] evaluates templates: what is simple at once, the rest in QuickJS, which runs in child
//! processes ([`run_child`]) that can be killed. The README tells the whole story.

mod evaluator;
pub mod functions;
mod limits;
mod native;
mod protocol;
mod sandbox;
mod script;
mod template;

pub use evaluator::{After, AfterResult, EvaluationError, Evaluator, EvaluatorCommand};
pub use limits::Limits;
pub use native::truth;
pub use sandbox::run_child;
pub use script::ScriptError;
pub use template::{Template, check_scripts};
pub use trunkline_workflow::time_zones;
