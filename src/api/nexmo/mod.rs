//! The Workflows and Messages API, known as the Nexmo API: who may call it, how its errors look, its routes.

pub mod applications;
mod authenticate;
mod basic;
pub mod body;
mod callback_url;
pub mod caller;
pub(super) mod callers;
pub mod dispatch;
mod jwt;
pub mod key_pair;
pub mod messages;
pub mod problem;
pub mod public_key;
mod read_number;
mod routes;
mod trace;

pub use callback_url::parse_callback_url;
pub use caller::{Caller, KeyCaller};
pub use problem::{InvalidParameter, Problem};
pub(super) use routes::is_ours;
pub use routes::{mount, routes, with_problems};
