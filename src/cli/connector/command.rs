//! The command: its actions and their arguments.

use std::process::ExitCode;

use clap::Subcommand;
use trunkline_store::connectors::ConnectorKind;
use trunkline_workflow::AccountId;

use super::check_connector::check_connector;
use super::list_connectors::list_connectors;
use super::set_connector::SetConnector;
use crate::cli::account::parse_account;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

/// Say how accounts reach their providers: with which key, and where
#[derive(Debug, clap::Args)]
pub struct ConnectorCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a connector, or change the one that is there; workers notice within seconds
    ///
    /// What is not named stays as it was told before.
    Set {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(subcommand)]
        connector: SetConnector,
    },
    /// List an account's connectors; of their secrets it shows the beginning of the SHA-256
    ///
    /// Without the right master key it shows `sealed:` and the id of that key instead.
    List {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
    /// Remove a connector
    Remove {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// Which one: 8x8, converse or messages-api
        #[arg(value_parser = parse_kind)]
        kind: ConnectorKind,
        /// The one of this subaccount [default: the one of all that have none of their own]
        #[arg(long, value_parser = parse_subaccount)]
        subaccount: Option<String>,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
    /// Ask the 8x8 platform whether it takes the key; sends nothing and calls nobody
    ///
    /// Exits with 1 when a product refuses it, or none says that it works.
    Test {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// The subaccount that is to send
        #[arg(long, value_parser = parse_subaccount)]
        subaccount: String,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
}

impl ConnectorCommand {
    pub(in crate::cli) async fn run(self) -> Result<ExitCode, CliError> {
        match self.action {
            Action::Set { account, connector } => connector.run(&account).await?,
            Action::List { account, store } => list_connectors(&account, &store).await?,
            Action::Remove { account, kind, subaccount, store } => {
                remove_connector(&account, kind, subaccount, &store).await?;
            }
            Action::Test { account, subaccount, store } => {
                return check_connector(&account, subaccount, &store).await;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn remove_connector(
    account: &AccountId,
    kind: ConnectorKind,
    subaccount: Option<String>,
    store: &SealingStoreSettings,
) -> Result<(), CliError> {
    let store = store.open_with_or_without_keys()?;
    reach(&store).await?;
    if !store.remove_connector(account, kind, subaccount.as_deref(), &at_this_shell()).await? {
        return Err(CliError::NoConnector { account: account.to_string(), kind: kind.as_str(), subaccount });
    }
    println!("Connector `{}` of account `{account}` removed.", kind.as_str());
    Ok(())
}

fn parse_kind(text: &str) -> Result<ConnectorKind, String> {
    ConnectorKind::parse(text).ok_or_else(|| "it is `8x8`, `converse` or `messages-api`".to_owned())
}

/// As the platform forms them (spec 8.1).
pub(in crate::cli) fn parse_subaccount(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._&".contains(c);
    if !(3..=50).contains(&text.len()) || !text.chars().all(plain) {
        return Err("a subaccount has 3 to 50 letters, digits and characters of `-._&`".to_owned());
    }
    Ok(text.to_owned())
}
