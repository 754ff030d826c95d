//! `webhook allow`: the networks that an account's webhooks may come from.

use trunkline_connectors::eight_by_eight::Region;
use trunkline_store::Store;
use trunkline_store::webhook_settings::{
    SealedWebhooks, WebhookLookup, WebhookSettings, webhook_secret_from_random,
};
use trunkline_workflow::AccountId;

use super::platform_addresses::platform_addresses;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::{Networks, SealingStoreSettings, parse_networks};

#[derive(Debug, clap::Args)]
pub(super) struct AllowAddresses {
    /// From these networks alone: 52.10.10.63,203.0.113.0/24
    #[arg(long, value_name = "CIDR,…", value_parser = parse_some_networks, conflicts_with_all = ["platform", "anyone"])]
    addresses: Option<Networks>,
    /// From the addresses that the platform's message webhooks come from. Calls may report from others
    #[arg(long, conflicts_with = "anyone")]
    platform: bool,
    /// Of those, the addresses of this region alone
    #[arg(long, requires = "platform", value_parser = parse_region)]
    region: Option<Region>,
    /// From anywhere; the secret decides
    #[arg(long)]
    anyone: bool,
}

impl AllowAddresses {
    pub(super) async fn run(self, account: &AccountId, store: &SealingStoreSettings) -> Result<(), CliError> {
        let store = store.open()?;
        reach(&store).await?;
        let allowed = match self.chosen() {
            Some(allowed) => save(&store, account, allowed).await?,
            None => match store.look_up_webhooks(account).await? {
                WebhookLookup::Found(WebhookSettings { allowed, .. })
                | WebhookLookup::Sealed(SealedWebhooks { allowed, .. }) => allowed,
                WebhookLookup::NoSecret => {
                    println!(
                        "Account `{account}` takes no webhooks yet: trunkline webhook show {account} --url … makes \
                         the secret for them."
                    );
                    return Ok(());
                }
                WebhookLookup::NoAccount => return Err(CliError::NoAccount(account.to_string())),
            },
        };
        if allowed.is_empty() {
            println!("Webhooks of account `{account}` may come from anywhere.");
        } else {
            println!("Webhooks of account `{account}` may come from:");
            for network in allowed {
                println!("  {network}");
            }
        }
        Ok(())
    }

    /// `None`: nothing is to be changed.
    fn chosen(self) -> Option<Vec<String>> {
        match self {
            Self { addresses: Some(networks), .. } => {
                Some(networks.0.iter().map(ToString::to_string).collect())
            }
            Self { platform: true, region, .. } => Some(platform_addresses(region)),
            Self { anyone: true, .. } => Some(Vec::new()),
            _ => None,
        }
    }
}

/// An account that had no secret has one from now on: there would be nothing to be allowed otherwise.
async fn save(store: &Store, account: &AccountId, allowed: Vec<String>) -> Result<Vec<String>, CliError> {
    let fresh = webhook_secret_from_random(rand::random());
    store.ensure_webhook_settings(account, &fresh, &at_this_shell()).await?;
    if !store.allow_webhooks_from(account, &allowed, &at_this_shell()).await? {
        return Err(CliError::NoAccount(account.to_string()));
    }
    Ok(allowed)
}

/// None at all would open the door that somebody wants to close.
fn parse_some_networks(text: &str) -> Result<Networks, String> {
    let networks = parse_networks(text)?;
    if networks.0.is_empty() {
        return Err("it needs a network; `--anyone` allows all".to_owned());
    }
    Ok(networks)
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| format!("it is one of {}", Region::ALL.map(Region::as_str).join(", ")))
}
