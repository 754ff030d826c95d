//! The fast path: scripts that are only member paths, literals, comparisons and helper calls are
//! evaluated here, without a sandbox, with the very results that QuickJS gives. Whatever is not certain
//! is left to QuickJS ([`Stop::Unsure`]).

mod coerce;
mod compile_native;
mod evaluate_leaf;
mod evaluate_native;
mod json_text;
mod measure_json;
mod number_text;
mod syntax;
mod value;

pub(crate) use coerce::truth_of_text;
pub(crate) use compile_native::compile_native;
pub(crate) use evaluate_leaf::evaluate_leaf;
pub use evaluate_leaf::truth;
pub(crate) use measure_json::{Excess, copy_as_javascript, measure};
pub(crate) use number_text::number_text;
pub(crate) use syntax::Native;
pub(crate) use value::{Scope, Stop};
