//! Where the server listens, and whom it believes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::secret::Secret;
use crate::api::ApiConfig;
use crate::cli::error::CliError;

pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ListenSettings {
    /// Address and port to listen on; 0.0.0.0 for all of the machine's addresses
    #[arg(long, env = "TRUNKLINE_LISTEN", value_name = "ADDRESS", default_value_t = DEFAULT_ADDRESS)]
    pub listen: SocketAddr,
    /// The `Authorization` header that webhooks must carry [default: none, webhooks are taken from everybody]
    #[arg(long, env = "TRUNKLINE_WEBHOOK_SECRET", hide_env_values = true, value_name = "HEADER")]
    webhook_secret: Option<Secret>,
    /// Seconds that running requests have to finish when the server stops
    #[arg(
        long,
        env = "TRUNKLINE_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=3600)
    )]
    grace: u64,
}

impl ListenSettings {
    pub fn api_config(&self) -> Result<ApiConfig, CliError> {
        let secret = self.webhook_secret.as_ref().map(|secret| secret.as_header("TRUNKLINE_WEBHOOK_SECRET"));
        Ok(ApiConfig { webhook_secret: secret.transpose()?.map(str::to_owned) })
    }

    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}
