//! An error and what is behind it, in one line.

use std::error::Error;
use std::fmt;

/// Displays an error with its causes, but for those whose words their effect ends with already.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.ends_with(&words) {
                text = format!("{text}: {words}");
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use super::Chain;
    use crate::cli::CliError;

    #[test]
    fn a_cause_is_told_once() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let error = CliError::Listen { address, source: io::Error::other("no") };
        assert_eq!(Chain(&error).to_string(), "cannot listen on `127.0.0.1:80`: no");
        let error = CliError::Listen { address, source: io::Error::other("on `127.0.0.1:80`") };
        assert_eq!(Chain(&error).to_string(), "cannot listen on `127.0.0.1:80`");
    }
}
