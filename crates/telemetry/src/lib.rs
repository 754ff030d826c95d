//! What Trunkline tells of itself: what it measures, for Prometheus, and [`traces`].
//!
//! [`declared`] is the one list of names, labels and help texts. Whoever records takes a handle from
//! [`counter`], [`gauge`] or [`histogram`] once and keeps it: recording is an atomic operation or two then. Until
//! [`install`] was called the handles do nothing, so that a process that nobody asks measures nothing.

pub mod declared;
mod recorder;
pub mod traces;

pub use declared::{Kind, Metric};
pub use metrics::{Counter, Gauge, Histogram};
pub use recorder::{counter, gauge, histogram, install, is_installed, render, tidy};
