//! The providers call us (spec 7).

mod credentials;
pub mod messages;
