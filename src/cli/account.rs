//! `trunkline account create|list`: the tenants.

use clap::Subcommand;
use trunkline_workflow::AccountId;

use super::error::CliError;
use super::print_table::table;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

const LONGEST_ID: usize = 100;

/// Create and list accounts
#[derive(Debug, clap::Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an account
    Create {
        /// The account's id, as it stands in URLs
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl AccountCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Create { account, database } => create(&account, &database).await,
            Action::List { database } => list(&database).await,
        }
    }
}

async fn create(account: &AccountId, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.create_account(account).await? {
        return Err(CliError::AccountExists(account.to_string()));
    }
    println!("Account `{account}` created. Its first API key: trunkline key create {account}");
    Ok(())
}

async fn list(database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    let accounts = store.list_accounts().await?;
    let row = |account: &trunkline_store::accounts::Account| {
        [account.id.to_string(), account.created_at.format("%F %T UTC").to_string()]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    print!("{}", table(["account", "created"], &rows));
    Ok(())
}

/// New accounts stand in URLs as they are, so that nobody has to encode them.
pub(super) fn parse_account(text: &str) -> Result<AccountId, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || text.len() > LONGEST_ID || !text.chars().all(plain) {
        return Err(format!("an account's id has 1 to {LONGEST_ID} letters, digits, `-`, `.` and `_`"));
    }
    Ok(AccountId::new(text))
}

#[cfg(test)]
mod tests {
    use super::parse_account;

    #[test]
    fn an_account_id_needs_no_encoding_in_urls() {
        for good in ["acme", "InternalDemo_8dD15", "a-b.c"] {
            assert!(parse_account(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a b", "a/b", "ä", "-x", &"x".repeat(101)] {
            assert!(parse_account(bad).is_err(), "{bad}");
        }
    }
}
