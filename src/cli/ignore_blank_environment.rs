//! A blank environment variable is none: deployments cannot leave a variable out as easily as they can leave it
//! empty.

use clap::Command;
use clap::builder::Resettable;

/// The command, all of its subcommands too, as if blank variables were not there.
pub(super) fn ignore_blank_environment(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(std::env::var_os);
        let is_blank = value.is_some_and(|value| value.to_string_lossy().trim().is_empty());
        if is_blank { argument.env(Resettable::Reset) } else { argument }
    });
    command.mut_subcommands(ignore_blank_environment)
}
