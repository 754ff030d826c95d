//! The command: its actions and their arguments.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use trunkline_store::webhook_settings::{Rotated, webhook_secret_from_random};
use trunkline_workflow::AccountId;

use super::allow_addresses::AllowAddresses;
use super::show_webhooks::ShowWebhooks;
use crate::cli::account::parse_account;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::SealingStoreSettings;

/// Show how the messaging platform is told of an account's webhooks, and say which are taken
#[derive(Debug, clap::Args)]
pub struct WebhookCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the URLs to register at the platform, with their secret, and the calls that do it
    ///
    /// An account takes no webhooks before it has a secret; this makes one if there is none.
    Show {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        show: ShowWebhooks,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
    /// Replace the secret; the one of before is taken for another day
    ///
    /// Tell the platform the new one within that day. Calls that run meanwhile keep reporting their keys. Rotated
    /// again within the day, the one in between is not taken any more: the platform may never have been told of it.
    Rotate {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// Refuse the one of before from now on, because somebody else knows it
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
    /// Say from which addresses webhooks may come, or show it
    Allow {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        allow: AllowAddresses,
        #[command(flatten)]
        store: SealingStoreSettings,
    },
}

impl WebhookCommand {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Show { account, show, store } => show.run(&account, &store).await,
            Action::Rotate { account, at_once, store } => rotate(&account, at_once, &store).await,
            Action::Allow { account, allow, store } => allow.run(&account, &store).await,
        }
    }
}

async fn rotate(account: &AccountId, at_once: bool, store: &SealingStoreSettings) -> Result<(), CliError> {
    let store = store.open()?;
    reach(&store).await?;
    let secret = webhook_secret_from_random(rand::random());
    let no_account = || CliError::NoAccount(account.to_string());
    let before = if at_once {
        let is_replaced = store.replace_webhook_secret(account, &secret, &at_this_shell()).await?;
        is_replaced.then_some(REFUSED.to_owned()).ok_or_else(no_account)?
    } else {
        describe(
            store.rotate_webhook_secret(account, &secret, &at_this_shell()).await?.ok_or_else(no_account)?,
        )
    };
    println!("Account `{account}` has a new webhook secret; servers notice within seconds.");
    println!("{before}");
    println!("Tell the platform: trunkline webhook show {account} --url … prints the calls.");
    Ok(())
}

const REFUSED: &str =
    "The one of before is refused: so are all webhooks until the platform was told the new one.";

/// What becomes of the secrets before.
fn describe(rotated: Rotated) -> String {
    let time = |until: DateTime<Utc>| until.format("%F %T UTC");
    match rotated {
        Rotated::First => "It is the first one.".to_owned(),
        Rotated::Taken { until } => format!("The one of before is taken until {}.", time(until)),
        Rotated::Skipped { until } => format!(
            "It is the second one within a day. The one of before the first is taken until {}, as was said then; the \
             one in between is refused from now on.",
            time(until)
        ),
    }
}
