//! What an account may do at once.

pub mod replace;
pub mod show;
mod view;

pub use view::LimitsSchema;
