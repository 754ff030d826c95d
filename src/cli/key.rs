//! `trunkline key create|list|revoke`: what an account's clients identify themselves with.

use clap::Subcommand;
use trunkline_store::keys::{Key, KeySecret};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::account::parse_account;
use super::error::CliError;
use super::print_table::table;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

/// Create, list and revoke API keys
#[derive(Debug, clap::Args)]
pub struct KeyCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a key and print it: this once, only its hash is kept
    Create {
        /// The account that the key opens
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// What lists call the key: who uses it, say
        #[arg(long, default_value = "key")]
        name: String,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// List the keys of an account, also revoked ones
    List {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Revoke a key; servers may take it for a few seconds more
    Revoke {
        /// The key's id, as the list shows it
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl KeyCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Create { account, name, database } => create(&account, &name, &database).await,
            Action::List { account, database } => list(&account, &database).await,
            Action::Revoke { id, database } => revoke(id, &database).await,
        }
    }
}

async fn create(account: &AccountId, name: &str, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    let secret = KeySecret::from_random(rand::random());
    let key = store.create_key(account, name, &secret).await?;
    let key = key.ok_or_else(|| CliError::NoAccount(account.to_string()))?;
    // The key alone on standard output, so that a script can take it.
    eprintln!("Key `{name}` of account `{account}`, id {}. It is shown this once:", key.id);
    println!("{}", secret.reveal());
    Ok(())
}

async fn list(account: &AccountId, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.account_exists(account).await? {
        return Err(CliError::NoAccount(account.to_string()));
    }
    let time = |time: chrono::DateTime<chrono::Utc>| time.format("%F %T UTC").to_string();
    let row = |key: &Key| {
        let revoked = key.revoked_at.map_or_else(|| "-".to_owned(), time);
        [key.id.to_string(), key.name.clone(), format!("{}…", key.prefix), time(key.created_at), revoked]
    };
    let rows: Vec<_> = store.list_keys(account).await?.iter().map(row).collect();
    print!("{}", table(["id", "name", "key", "created", "revoked"], &rows));
    Ok(())
}

async fn revoke(id: Uuid, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.revoke_key(id).await? {
        return Err(CliError::NoKey(id));
    }
    println!("Key {id} revoked.");
    Ok(())
}
