//! Which server, which account, and the key that opens it.

use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Secret;
use crate::cli::call_server::Server;
use crate::cli::dev::{DEFAULT_DATA_DIR, EnvFile};
use crate::cli::error::CliError;

/// What is left out, the file that `trunkline dev` writes says.
#[derive(Debug, clap::Args)]
pub struct ApiSettings {
    /// The server's root [default: as the file `env` in the data folder of `dev` says]
    #[arg(long, env = "TRUNKLINE_URL", value_name = "URL", global = true)]
    url: Option<String>,
    /// An API key of the account [default: the same]
    #[arg(long, env = "TRUNKLINE_API_KEY", value_name = "KEY", hide_env_values = true, global = true)]
    api_key: Option<Secret>,
    /// The account [default: the same]
    #[arg(long, env = "TRUNKLINE_ACCOUNT", value_name = "ACCOUNT", global = true)]
    account: Option<String>,
    /// The data folder of `dev`
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_DATA_DIR, global = true)]
    data_dir: PathBuf,
}

/// An account of a server.
pub(in crate::cli) struct AccountApi {
    pub(in crate::cli) server: Server,
    root: String,
}

impl AccountApi {
    /// A path below the account's.
    pub(in crate::cli) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }
}

impl ApiSettings {
    /// A key of the file goes to no other server than the file's.
    pub(in crate::cli) fn open(&self) -> Result<AccountApi, CliError> {
        let file = EnvFile::read(&self.data_dir);
        let file = file.filter(|file| self.url.as_ref().is_none_or(|url| is_same(url, &file.url)));
        let of_file = |part: fn(&EnvFile) -> &String| file.as_ref().map(part).cloned();
        let missing = |name| CliError::NoServer { name, path: EnvFile::path(&self.data_dir) };
        let url = self.url.clone().or_else(|| of_file(|file| &file.url));
        let url = url.ok_or_else(|| missing("TRUNKLINE_URL"))?;
        let key = self.api_key.clone().map(|key| key.reveal().to_owned());
        let key =
            key.or_else(|| of_file(|file| &file.api_key)).ok_or_else(|| missing("TRUNKLINE_API_KEY"))?;
        let account = self.account.clone().or_else(|| of_file(|file| &file.account));
        let account = account.ok_or_else(|| missing("TRUNKLINE_ACCOUNT"))?;
        let account = utf8_percent_encode(&account, NON_ALPHANUMERIC);
        Ok(AccountApi {
            server: Server::new(&url, Some(key.trim())),
            root: format!("/api/v1/accounts/{account}"),
        })
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
