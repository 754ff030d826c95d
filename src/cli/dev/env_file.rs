//! `<data-dir>/env`: where the server is and who may call it, for shells (`. .trunkline/env`) and for us: the
//! keys' secrets are kept here alone, so that a restart goes on with them.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::shell_word::shell_word;

/// Its `Debug` shows no secrets.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct EnvFile {
    pub(in crate::cli) url: String,
    pub(in crate::cli) account: String,
    pub(in crate::cli) api_key: String,
    /// What webhooks carry as `Authorization`.
    pub(in crate::cli) webhook_secret: String,
    pub(in crate::cli) workflows_api_key: String,
    pub(in crate::cli) workflows_api_secret: String,
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvFile")
            .field("url", &self.url)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl EnvFile {
    pub(in crate::cli) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("env")
    }

    /// `None` when there is none, or it does not say everything.
    pub(in crate::cli) fn read(data_dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(Self::path(data_dir)).ok()?;
        let value = |name: &str| {
            let mut lines = text.lines().map(|line| line.strip_prefix("export ").unwrap_or(line));
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self {
            url: value("TRUNKLINE_URL")?,
            account: value("TRUNKLINE_ACCOUNT")?,
            api_key: value("TRUNKLINE_API_KEY")?,
            // What follows earlier releases had not.
            webhook_secret: value("TRUNKLINE_WEBHOOK_SECRET")
                .unwrap_or_default()
                .trim_matches('\'')
                .to_owned(),
            workflows_api_key: value("TRUNKLINE_WORKFLOWS_API_KEY").unwrap_or_default(),
            workflows_api_secret: value("TRUNKLINE_WORKFLOWS_API_SECRET").unwrap_or_default(),
        })
    }

    /// Replaces the file whole. Only its owner may read it.
    pub(super) fn write(&self, data_dir: &Path) -> Result<(), CliError> {
        let path = Self::path(data_dir);
        let new = data_dir.join("env.new");
        let failed = |source| CliError::File { action: "write", path: new.clone(), source };
        if new.exists() {
            std::fs::remove_file(&new).map_err(failed)?;
        }
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(self.text().as_bytes()).map_err(failed)?;
        std::fs::rename(&new, &path).map_err(|source| CliError::File { action: "write", path, source })
    }

    /// Only the webhooks' secret needs quoting in a shell.
    fn text(&self) -> String {
        format!(
            "# Written by `trunkline dev` at each start.\n\
             export TRUNKLINE_URL={}\nexport TRUNKLINE_ACCOUNT={}\nexport TRUNKLINE_API_KEY={}\n\
             export TRUNKLINE_WEBHOOK_SECRET={}\n\
             export TRUNKLINE_WORKFLOWS_API_KEY={}\nexport TRUNKLINE_WORKFLOWS_API_SECRET={}\n",
            self.url,
            self.account,
            self.api_key,
            shell_word(&self.webhook_secret),
            self.workflows_api_key,
            self.workflows_api_secret
        )
    }

    /// Part of starting over.
    pub(super) fn remove(data_dir: &Path) -> Result<(), CliError> {
        let path = Self::path(data_dir);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(CliError::File { action: "remove", path, source })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EnvFile;

    #[test]
    fn the_debug_output_shows_no_secrets() {
        let env = EnvFile {
            url: "http://127.0.0.1:8080".to_owned(),
            account: "dev".to_owned(),
            api_key: "hush-1".to_owned(),
            webhook_secret: "hush-2".to_owned(),
            workflows_api_key: "k".to_owned(),
            workflows_api_secret: "hush-3".to_owned(),
        };
        let shown = format!("{env:?}");
        assert!(shown.contains("8080") && !shown.contains("hush"), "{shown}");
    }
}
