//! Triggers that are raised by a call (spec 2.12).

pub mod http_request;
