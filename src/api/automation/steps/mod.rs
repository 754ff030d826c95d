//! What scripts of steps can use: `/steps/timezones`, `/steps/functions` (spec 2.13, 2.14).

pub mod functions;
pub mod timezones;
