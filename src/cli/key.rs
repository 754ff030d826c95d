//! `trunkline key create|list|rotate|revoke`: what an account's clients identify themselves with.

use std::time::Duration;

use clap::Subcommand;
use trunkline_store::keys::{Key, KeySecret, NewKey, Scope};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::account::parse_account;
use super::at_this_shell::at_this_shell;
use super::error::CliError;
use super::print_table::table;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

/// Create, list, rotate and revoke API keys
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
        /// What the key may do: look (viewer), also start and control instances (operator), also save definitions
        /// (author), everything (admin)
        #[arg(long, value_name = "SCOPE", default_value = "admin", value_parser = parse_scope)]
        scope: Scope,
        /// After how many days the key expires; never when left out
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_in_days: Option<u32>,
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
    /// Make a new key in the place of one, which works for a while longer; print the new one, this once
    Rotate {
        /// The key's id, as the list shows it
        id: Uuid,
        /// How many hours the old key works beside the new one
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        overlap_hours: u32,
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
            Action::Create { account, name, scope, expires_in_days, database } => {
                let lifetime = expires_in_days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
                create(&account, &NewKey { name: &name, scope, lifetime }, &database).await
            }
            Action::List { account, database } => list(&account, &database).await,
            Action::Rotate { id, overlap_hours, database } => {
                rotate(id, Duration::from_secs(u64::from(overlap_hours) * 3600), &database).await
            }
            Action::Revoke { id, database } => revoke(id, &database).await,
        }
    }
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let known = || format!("a scope is one of {}", Scope::ALL.map(Scope::as_str).join(", "));
    Scope::parse(text).ok_or_else(known)
}

async fn create(account: &AccountId, new: &NewKey<'_>, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    let secret = KeySecret::from_random(rand::random());
    let key = store.create_key(account, new, &secret, &at_this_shell()).await?;
    show_once(&key.ok_or_else(|| CliError::NoAccount(account.to_string()))?, &secret);
    Ok(())
}

async fn rotate(id: Uuid, overlap: Duration, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    let secret = KeySecret::from_random(rand::random());
    let key = store.rotate_key(id, overlap, &secret, &at_this_shell()).await?;
    show_once(&key.ok_or(CliError::NoKey(id))?, &secret);
    Ok(())
}

/// The key alone on standard output, so that a script can take it.
fn show_once(key: &Key, secret: &KeySecret) {
    let Key { name, account, scope, id, .. } = key;
    eprintln!(
        "Key `{name}` of account `{account}`, scope {}, id {id}. It is shown this once:",
        scope.as_str()
    );
    println!("{}", secret.reveal());
}

async fn list(account: &AccountId, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.account_exists(account).await? {
        return Err(CliError::NoAccount(account.to_string()));
    }
    let time = |time: chrono::DateTime<chrono::Utc>| time.format("%F %T UTC").to_string();
    let row = |key: &Key| {
        let or_dash = |at: Option<_>| at.map_or_else(|| "-".to_owned(), time);
        let (expires, revoked) = (or_dash(key.expires_at), or_dash(key.revoked_at));
        let (id, prefix) = (key.id.to_string(), format!("{}…", key.prefix));
        [id, key.name.clone(), key.scope.as_str().to_owned(), prefix, time(key.created_at), expires, revoked]
    };
    let rows: Vec<_> = store.list_keys(account).await?.iter().map(row).collect();
    print!("{}", table(["id", "name", "scope", "key", "created", "expires", "revoked"], &rows));
    Ok(())
}

async fn revoke(id: Uuid, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.revoke_key(id, &at_this_shell()).await? {
        return Err(CliError::NoKey(id));
    }
    println!("Key {id} revoked.");
    Ok(())
}
