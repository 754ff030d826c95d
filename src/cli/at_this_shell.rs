//! Who runs a command that changes something, for the audit.

use trunkline_store::audit::{Actor, By};

/// As far as the shell says; whoever reaches the database may say anything.
pub(super) fn at_this_shell() -> By {
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    By { actor: Actor::CommandLine(user.filter(|user| !user.is_empty())), reason: None }
}
