//! `trunkline migrate`: brings the schema up to date.

use super::error::CliError;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

/// Bring the database's schema up to this version; may be run at any time, by several at once
#[derive(Debug, clap::Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let store = self.database.open()?;
        reach(&store).await?;
        store.migrate().await?;
        let version = store.server_version().await?;
        println!("The schema is up to date (PostgreSQL {version}).");
        Ok(())
    }
}
