//! `trunkline master-key`: makes the key that secrets are sealed with.

use trunkline_store::sealing::master_key_text;

/// Print a fresh master key, for `TRUNKLINE_MASTER_KEY` or the file that `TRUNKLINE_MASTER_KEY_FILE` names
///
/// Provider keys, webhook secrets and the steps of definitions are sealed with it in the database. Keep a copy
/// elsewhere: without it they cannot be read by anybody. To change it, put a new key in front of the old one.
#[derive(Debug, clap::Args)]
pub struct MasterKey {}

impl MasterKey {
    pub(super) fn run() {
        // The key alone, so that it can be written into a file: trunkline master-key > master.key
        println!("{}", master_key_text(rand::random()));
    }
}
