//! The command: its actions and their arguments.

use clap::Subcommand;
use trunkline_store::Store;
use trunkline_store::applications::{Application, ApplicationFields, CreatedApplication};
use trunkline_store::nexmo_accounts::{CallbackUrls, Standing, api_key_from_random};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::describe::{describe, row};
use super::public_key_file::KeySource;
use crate::cli::account::parse_account;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::credentials::CallbackUrlChange;
use crate::cli::error::CliError;
use crate::cli::print_table::table;
use crate::cli::reach_database::reach;
use crate::cli::settings::DatabaseSettings;

/// Longer lists are read by the API, a page at a time.
const LISTED: i64 = 10_000;

/// Say which applications may call the Workflows and Messages API with tokens (JWT)
#[derive(Debug, clap::Args)]
pub struct ApplicationCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an application, and print its private key unless you bring a public one
    Create {
        /// The account that it belongs to
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// What lists call it
        #[arg(long)]
        name: String,
        #[command(flatten)]
        key: KeySource,
        #[command(flatten)]
        urls: CallbackUrlChange,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// List the applications of an account
    List {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Show an application and its public key
    Show {
        /// The application's id
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Change an application's name, or where it is told things
    Change {
        /// The application's id
        id: Uuid,
        /// What lists call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        urls: CallbackUrlChange,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Replace an application's key; tokens of the old one are refused within seconds
    RotateKey {
        /// The application's id
        id: Uuid,
        #[command(flatten)]
        key: KeySource,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Refuse an application's tokens until it is resumed; servers may take them for a few seconds more
    Suspend {
        /// The application's id
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Take an application's tokens again
    Resume {
        /// The application's id
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Delete an application; what it sent goes on, and its account is told of it
    Delete {
        /// The application's id
        id: Uuid,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl ApplicationCommand {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Create { account, name, key, urls, database } => {
                create(&account, &name, &key, urls, &database).await
            }
            Action::List { account, database } => list(&account, &database).await,
            Action::Show { id, database } => show(id, &database).await,
            Action::Change { id, name, urls, database } => change(id, name, urls, &database).await,
            Action::RotateKey { id, key, database } => rotate_key(id, &key, &database).await,
            Action::Suspend { id, database } => set_standing(id, Standing::Suspended, &database).await,
            Action::Resume { id, database } => set_standing(id, Standing::Active, &database).await,
            Action::Delete { id, database } => delete(id, &database).await,
        }
    }
}

async fn open(database: &DatabaseSettings) -> Result<Store, CliError> {
    let store = database.open()?;
    reach(&store).await?;
    Ok(store)
}

async fn find(store: &Store, id: Uuid) -> Result<Application, CliError> {
    store.find_application(id).await?.ok_or(CliError::NoApplication(id))
}

async fn create(
    account: &AccountId,
    name: &str,
    key: &KeySource,
    urls: CallbackUrlChange,
    database: &DatabaseSettings,
) -> Result<(), CliError> {
    let store = open(database).await?;
    let no_account = || CliError::NoAccount(account.to_string());
    let fresh = api_key_from_random(rand::random());
    store.ensure_nexmo_account(account, &fresh, &at_this_shell()).await?.ok_or_else(no_account)?;
    let key = key.key().await?;
    let fields = ApplicationFields { name: name.to_owned(), urls: urls.apply(CallbackUrls::default()) };
    let created = store
        .create_application(account, Uuid::new_v4(), &fields, &key.public.to_pem(), &at_this_shell())
        .await?;
    let id = match created {
        CreatedApplication::Created(application) => application.id,
        CreatedApplication::TooMany => return Err(CliError::TooManyApplications(account.to_string())),
        CreatedApplication::NoApiKey => return Err(no_account()),
    };
    eprintln!(
        "Application `{name}` of account `{account}` created. Its tokens name it as `application_id`: {id}"
    );
    match &key.private_pem {
        Some(_) => key.print_private(),
        None => println!("{id}"),
    }
    Ok(())
}

async fn list(account: &AccountId, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = open(database).await?;
    if !store.account_exists(account).await? {
        return Err(CliError::NoAccount(account.to_string()));
    }
    let page = store.list_applications(account, LISTED, 0).await?;
    let rows: Vec<_> = page.applications.iter().map(row).collect();
    print!("{}", table(["id", "name", "standing", "created", "status URL"], &rows));
    Ok(())
}

async fn show(id: Uuid, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = open(database).await?;
    print!("{}", describe(&find(&store, id).await?)?);
    Ok(())
}

async fn change(
    id: Uuid,
    name: Option<String>,
    urls: CallbackUrlChange,
    database: &DatabaseSettings,
) -> Result<(), CliError> {
    let store = open(database).await?;
    let Application { account, name: old_name, urls: old_urls, .. } = find(&store, id).await?;
    let fields = ApplicationFields { name: name.unwrap_or(old_name), urls: urls.apply(old_urls) };
    let changed = store.update_application(&account, id, &fields, None, &at_this_shell()).await?;
    print!("{}", describe(&changed.ok_or(CliError::NoApplication(id))?)?);
    Ok(())
}

async fn rotate_key(id: Uuid, key: &KeySource, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = open(database).await?;
    let name = find(&store, id).await?.name;
    let key = key.key().await?;
    if !store.rotate_application_key(id, &key.public.to_pem(), &at_this_shell()).await? {
        return Err(CliError::NoApplication(id));
    }
    eprintln!("Application `{name}` has a new key; servers refuse tokens of the old one within seconds.");
    key.print_private();
    Ok(())
}

async fn set_standing(id: Uuid, standing: Standing, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = open(database).await?;
    if !store.set_application_standing(id, standing, &at_this_shell()).await? {
        return Err(CliError::NoApplication(id));
    }
    let done = if standing.is_suspended() { "suspended" } else { "active again" };
    println!("Application {id} is {done}; servers notice within seconds.");
    Ok(())
}

async fn delete(id: Uuid, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = open(database).await?;
    let account = find(&store, id).await?.account;
    if !store.delete_application(&account, id, &at_this_shell()).await? {
        return Err(CliError::NoApplication(id));
    }
    println!("Application {id} deleted.");
    Ok(())
}
