//! `trunkline verify`: checks what must hold in every database of ours.

use std::process::ExitCode;
use std::time::Duration;

use super::error::CliError;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

/// Check that the stored instances and jobs are consistent; a running system may be checked
///
/// Prints each rule that is broken and exits with 1; exits with 0 when all hold.
#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Verify {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let store = self.database.open()?.with_patience(Duration::MAX);
        reach(&store).await?;
        store.check_ready().await?;
        let violations = store.verify().await?;
        if violations.is_empty() {
            println!("Every rule holds.");
            return Ok(ExitCode::SUCCESS);
        }
        for violation in violations {
            println!(
                "Broken: {}: {} times, for example {}",
                violation.rule, violation.count, violation.example
            );
        }
        Ok(ExitCode::FAILURE)
    }
}
