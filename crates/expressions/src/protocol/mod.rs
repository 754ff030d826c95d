//! What an evaluator and its children say to each other: frames of a length (u32, little endian) and that
//! many bytes, over a pair of sockets.
//!
//! ```text
//! parent                            child
//!   Start(limits)              →
//!                              ←    Ready
//!   Evaluate(data, step, …)    →
//!                              ←    Progress      now and then, between long scripts
//!                              ←    Missing       sources are needed: ask again with them
//!                              ←    Done | Fault
//! ```

mod frame;
mod reply;
mod request;

pub(crate) use frame::MAX_FRAME_BYTES;
pub(crate) use reply::Reply;
pub(crate) use request::{Action, EvaluateFrame, Request};
