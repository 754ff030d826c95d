//! The command: its actions and their arguments.

use clap::Subcommand;
use trunkline_store::Store;
use trunkline_store::nexmo_accounts::{NexmoAccount, Standing, api_key_from_random};
use trunkline_store::nexmo_secrets::{AddedSecret, ApiSecret};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::callback_urls::CallbackUrlChange;
use super::show_credentials::show_credentials;
use super::signature::SignatureChange;
use crate::cli::account::parse_account;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::{DatabaseSettings, SealingStoreSettings};

/// Give accounts an API key and secrets for the Workflows and Messages API
///
/// These are for `Authorization: Basic`; keys of the Automation API are made with `trunkline key`, and tokens are
/// signed by an application: `trunkline application`.
#[derive(Debug, clap::Args)]
pub struct CredentialsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a new secret with the account's API key, as `curl -u` takes them: this once, only its hash is kept
    ///
    /// The first time this makes the API key as well. Two secrets may be in force at the same time: give every
    /// client the new one, then revoke the old one.
    Create {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Show an account's API key, its secrets and where it is told things
    Show {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Revoke a secret; servers may take it for a few seconds more
    Revoke {
        /// The secret's id, as `show` prints it
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Say where an account is told things that no application of it has its own address for
    Callbacks {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        urls: CallbackUrlChange,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Print the secret that callbacks are signed with; the first time this makes it
    Signature {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        change: SignatureChange,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
    /// Refuse an account's calls, also those of its applications, until it is resumed
    Suspend {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Take an account's calls again
    Resume {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl CredentialsCommand {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Create { account, database } => create(&account, &open(&database).await?).await,
            Action::Show { account, database } => show_credentials(&account, &open(&database).await?).await,
            Action::Revoke { id, database } => revoke(id, &open(&database).await?).await,
            Action::Callbacks { account, urls, database } => {
                set_callbacks(&account, urls, &open(&database).await?).await
            }
            Action::Signature { account, change, store } => change.run(&account, &store).await,
            Action::Suspend { account, database } => {
                set_standing(&account, Standing::Suspended, &open(&database).await?).await
            }
            Action::Resume { account, database } => {
                set_standing(&account, Standing::Active, &open(&database).await?).await
            }
        }
    }
}

async fn open(database: &DatabaseSettings) -> Result<Store, CliError> {
    let store = database.open()?;
    reach(&store).await?;
    Ok(store)
}

/// The account, which has an API key.
pub(super) async fn find(store: &Store, account: &AccountId) -> Result<NexmoAccount, CliError> {
    match store.find_nexmo_account(account).await? {
        Some(found) => Ok(found),
        None if store.account_exists(account).await? => Err(CliError::NoApiKey(account.to_string())),
        None => Err(CliError::NoAccount(account.to_string())),
    }
}

async fn create(account: &AccountId, store: &Store) -> Result<(), CliError> {
    let no_account = || CliError::NoAccount(account.to_string());
    let fresh = api_key_from_random(rand::random());
    let holder =
        store.ensure_nexmo_account(account, &fresh, &at_this_shell()).await?.ok_or_else(no_account)?;
    let secret = ApiSecret::from_random(rand::random());
    match store.add_secret(account, &secret, &at_this_shell()).await? {
        AddedSecret::Added(id) => {
            // The pair alone on standard output, so that a script can take it.
            eprintln!("API key and secret of account `{account}`, secret {id}. It is shown this once:");
            println!("{}:{}", holder.api_key, secret.reveal());
            Ok(())
        }
        AddedSecret::TooMany => Err(CliError::TwoSecrets(account.to_string())),
        AddedSecret::NoApiKey => Err(no_account()),
    }
}

async fn revoke(id: Uuid, store: &Store) -> Result<(), CliError> {
    if !store.revoke_secret(id, &at_this_shell()).await? {
        return Err(CliError::NoSecret(id));
    }
    println!("Secret {id} revoked.");
    Ok(())
}

async fn set_callbacks(account: &AccountId, urls: CallbackUrlChange, store: &Store) -> Result<(), CliError> {
    if !urls.is_empty() {
        let urls = urls.apply(find(store, account).await?.urls);
        store.set_account_callbacks(account, &urls, &at_this_shell()).await?;
    }
    let urls = find(store, account).await?.urls;
    let shown = |url: Option<String>| url.unwrap_or_else(|| "nowhere".to_owned());
    println!("Statuses and reports  {}", shown(urls.status));
    println!("Inbound messages      {}", shown(urls.inbound));
    Ok(())
}

async fn set_standing(account: &AccountId, standing: Standing, store: &Store) -> Result<(), CliError> {
    find(store, account).await?;
    store.set_account_standing(account, standing, &at_this_shell()).await?;
    let done = if standing.is_suspended() { "suspended" } else { "active again" };
    println!(
        "Account `{account}` is {done} for the Workflows and Messages API; servers notice within seconds."
    );
    Ok(())
}
