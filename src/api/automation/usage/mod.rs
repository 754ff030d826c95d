//! What an account started, by month: `/usage`, `/usage/history` (spec 2.15, 2.16).

pub mod history;
pub mod show;
