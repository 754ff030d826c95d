//! Where the database is.

use trunkline_store::Store;

use super::secret::Secret;
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseSettings {
    /// The database: postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Secret,
    #[command(flatten)]
    pub pool: PoolSettings,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct PoolSettings {
    /// Connections in the pool; a worker has two or three more of its own
    #[arg(
        long,
        env = "TRUNKLINE_DATABASE_CONNECTIONS",
        value_name = "COUNT",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(2..=1000)
    )]
    database_connections: u32,
}

impl DatabaseSettings {
    pub fn open(&self) -> Result<Store, CliError> {
        self.pool.open(self.database_url.reveal())
    }
}

impl PoolSettings {
    /// Nothing is connected yet: a database that is down is no error here.
    pub fn open(&self, url: &str) -> Result<Store, CliError> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(CliError::BadDatabaseUrl(None));
        }
        Store::open(url, self.database_connections).map_err(|error| CliError::BadDatabaseUrl(Some(error)))
    }
}
