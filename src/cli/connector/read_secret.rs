//! Secrets from a file, the environment or standard input: never from the command line, which others can read.

use std::io::{IsTerminal, Read, stdin};
use std::path::Path;
use std::str::FromStr;

use crate::cli::error::CliError;
use crate::cli::settings::Secret;

const VARIABLE: &str = "TRUNKLINE_PROVIDER_API_KEY";
const STANDARD_INPUT: &str = "standard input";

/// The key of a provider. Says where it came from: a variable that somebody forgot wins over standard input.
pub(super) fn read_api_key(file: Option<&Path>) -> Result<String, CliError> {
    let (text, name) = match file {
        Some(path) => (read_file(path)?, "--api-key-file"),
        None => match std::env::var(VARIABLE).ok().filter(|key| !key.trim().is_empty()) {
            Some(key) => (key, VARIABLE),
            None => (read_standard_input()?, STANDARD_INPUT),
        },
    };
    let place = if name == STANDARD_INPUT { name.to_owned() } else { format!("`{name}`") };
    eprintln!("The API key is the one of {place}.");
    let key = check(&text, name)?;
    if key.starts_with("Bearer ") {
        return Err(CliError::BadSetting { name, problem: "it must be the key alone, without `Bearer`" });
    }
    Ok(key)
}

/// The whole value of an `Authorization` header.
pub(super) fn read_authorization(file: &Path) -> Result<String, CliError> {
    check(&read_file(file)?, "--authorization-file")
}

/// A secret, or a private key of several lines; `name` is the setting's.
pub(super) fn read_secret(file: &Path, name: &'static str) -> Result<String, CliError> {
    let text = read_file(file)?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(CliError::BadSetting { name, problem: "it is empty" });
    }
    Ok(secret.to_owned())
}

fn check(text: &str, name: &'static str) -> Result<String, CliError> {
    let Ok(secret) = Secret::from_str(text);
    secret.as_header(name).map(str::to_owned)
}

fn read_file(path: &Path) -> Result<String, CliError> {
    if path.as_os_str() == "-" {
        return read_standard_input();
    }
    std::fs::read_to_string(path).map_err(|source| CliError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// All of it; from a terminal a line is enough.
fn read_standard_input() -> Result<String, CliError> {
    let failed = |source| CliError::System { action: "read standard input", source };
    let mut text = String::new();
    if stdin().is_terminal() {
        eprintln!("Paste the secret, then press Enter. It shows on the screen:");
        stdin().read_line(&mut text).map_err(failed)?;
    } else {
        stdin().read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}
