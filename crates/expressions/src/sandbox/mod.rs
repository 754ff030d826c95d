//! The life of an evaluator child: it reads requests, evaluates them in the account's QuickJS context and
//! answers, until its parent is gone.

mod clock;
mod evaluation;
mod failure;
mod harden_process;
mod helpers;
mod result_json;
mod run_child;
mod sandbox_of_account;
mod sandboxes;

pub use run_child::run_child;
