//! `trunkline completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::command::Cli;

/// Print what makes a shell complete this program's commands and flags
///
/// For bash, for example: `trunkline completions bash > /etc/bash_completion.d/trunkline`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "trunkline", &mut script);
        print!("{}", String::from_utf8_lossy(&script));
    }
}
