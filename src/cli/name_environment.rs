//! Refusals name the flag, as clap does, and also the environment variable: in production that is what
//! somebody wrote.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Command, CommandFactory, Error};

/// Adds to an error where its value came from, or could come from.
pub(super) fn explain<C: CommandFactory>(mut error: Error) -> Error {
    let mut command = C::command();
    command.build();
    let tips: Vec<StyledStr> =
        match (error.get(ContextKind::InvalidArg), error.get(ContextKind::InvalidValue)) {
            (Some(ContextValue::String(argument)), Some(ContextValue::String(value))) => {
                variable(&command, argument)
                    .filter(|name| std::env::var(name).is_ok_and(|set| set.contains(value.as_str())))
                    .map(|name| {
                        StyledStr::from(format!("the value is that of the environment variable `{name}`"))
                    })
                    .into_iter()
                    .collect()
            }
            (Some(ContextValue::Strings(arguments)), None) => arguments
                .iter()
                .filter_map(|argument| variable(&command, argument))
                .map(|name| StyledStr::from(format!("the environment variable `{name}` does as well")))
                .collect(),
            _ => Vec::new(),
        };
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// The environment variable of an argument, which an error names as `--flag <VALUE>`.
fn variable(command: &Command, argument: &str) -> Option<String> {
    let own = command
        .get_arguments()
        .find(|known| known.to_string() == argument)
        .and_then(|known| known.get_env())
        .map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|subcommand| variable(subcommand, argument)))
}
