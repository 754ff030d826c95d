//! `--peers`: steps per second, latencies and parked instances of others, beside our own, in one run on one PostgreSQL.
//! `bench/peers` has a small program for each of them; the README says what is compared.

mod install;
mod known;
mod measure;
mod program;
mod row;
mod table;

pub use known::names;
pub use measure::run;
