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
    /// The same database past a pooler, for what needs a session: the worker's own connections, hints and migrations
    ///
    /// Without it they go through the pooler, too.
    #[arg(long, env = "TRUNKLINE_DIRECT_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    direct_database_url: Option<Secret>,
    #[command(flatten)]
    pub pool: PoolSettings,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct PoolSettings {
    /// Connections in the pool; each process has up to four more for starts and hints, a worker another five of its own
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
        let store = self.pool.open(self.database_url.reveal())?;
        match &self.direct_database_url {
            Some(url) => {
                let (name, url) = ("TRUNKLINE_DIRECT_DATABASE_URL", url.reveal());
                check_scheme(name, url)?;
                store.with_direct(url).map_err(|error| CliError::BadDatabaseUrl { name, source: Some(error) })
            }
            None => Ok(store),
        }
    }
}

impl PoolSettings {
    /// Nothing is connected yet: a database that is down is no error here.
    pub fn open(&self, url: &str) -> Result<Store, CliError> {
        let name = "DATABASE_URL";
        check_scheme(name, url)?;
        Store::open(url, self.database_connections)
            .map_err(|error| CliError::BadDatabaseUrl { name, source: Some(error) })
    }
}

fn check_scheme(name: &'static str, url: &str) -> Result<(), CliError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(());
    }
    Err(CliError::BadDatabaseUrl { name, source: None })
}
