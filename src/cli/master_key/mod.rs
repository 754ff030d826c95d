//! `trunkline master-key` and `master-key reseal`: the key that secrets are sealed with.

mod command;
mod reseal_texts;

pub use command::MasterKey;
