//! A setting that must not be shown.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::cli::error::CliError;

/// Its `Debug` shows nothing. Any text is accepted at first, because clap repeats what it refuses.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The secret as the value of an HTTP header; `name` is the setting's.
    pub fn as_header(&self, name: &'static str) -> Result<&str, CliError> {
        let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let text = self.0.trim();
        if text.is_empty() || !text.bytes().all(is_visible) {
            return Err(CliError::BadSetting { name, problem: "it must be visible ASCII characters" });
        }
        Ok(text)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
