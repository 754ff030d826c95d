//! Evaluates templates with real evaluator children.

mod after;
mod children;
mod corpus;
mod helpers;
mod hostile_scripts;
mod inputs;
mod leaks;
mod same_results;
mod support;
