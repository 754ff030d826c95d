//! Whether somebody says yes.

use std::io::{IsTerminal, Write, stderr, stdin};

use crate::cli::error::CliError;

/// Asks at the terminal. Where there is none nobody can be asked, and that is an error.
pub(super) fn confirm(question: &str) -> Result<bool, CliError> {
    if !stdin().is_terminal() {
        return Err(CliError::NobodyToAsk);
    }
    let failed = |source| CliError::System { action: "ask", source };
    let mut terminal = stderr();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).map_err(failed)?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
