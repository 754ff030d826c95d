//! `connector set ACCOUNT messages-api`: the provider of workflows' messages (Workflows API 12).

use std::path::PathBuf;

use trunkline_connectors::clock;
use trunkline_connectors::messages_api::{Auth, MessagesApiSettings, SmsRoute, Version};
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::read_secret::read_secret;
use super::set_connector::{open, set_connector, warn_of_plain_http};
use crate::cli::error::CliError;
use crate::cli::settings::{SealingStoreSettings, parse_base_url};

#[derive(Debug, clap::Args)]
pub(super) struct SetMessagesApi {
    /// The API key at the provider; the secret is its API secret
    #[arg(
        long,
        value_name = "KEY",
        required_unless_present = "application_id",
        conflicts_with = "application_id"
    )]
    api_key: Option<String>,
    /// The application at the provider; the secret is its private key, in PEM
    #[arg(long, value_name = "UUID")]
    application_id: Option<Uuid>,
    /// A file with the secret; `-` is standard input
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// The version of the API that is spoken: v0.1 or v1
    #[arg(long = "api-version", value_name = "VERSION", default_value = "v0.1", value_parser = parse_version)]
    version: Version,
    /// Where messages go [default: the provider's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    base_url: Option<String>,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl SetMessagesApi {
    pub(super) async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let secret = read_secret(&self.secret_file)?;
        let auth = match (self.api_key, self.application_id) {
            (Some(api_key), _) => Auth::Basic { api_key },
            (None, Some(id)) => Auth::Jwt { application_id: id.to_string() },
            (None, None) => {
                return Err(CliError::BadSetting {
                    name: "--api-key",
                    problem: "it or `--application-id` is needed",
                });
            }
        };
        let settings = MessagesApiSettings {
            base_url: self.base_url,
            version: self.version,
            auth,
            sms: SmsRoute::default(),
        };
        // A key that does not sign is found out now.
        let unusable = |problem: String| CliError::Unusable { what: "--secret-file", problem };
        let resolved = settings.resolve(&secret).map_err(|error| unusable(error.to_string()))?;
        resolved.authorization(clock::now(), Uuid::new_v4()).map_err(|error| unusable(error.to_string()))?;
        let store = open(&self.store).await?;
        let written = serde_json::to_value(&settings).expect("texts and names are JSON");
        let kind = ConnectorKind::MessagesApi;
        let new = NewConnector { account, kind, subaccount: None, settings: &written, secret: Some(&secret) };
        set_connector(&store, new).await?;
        println!("  messages  {}", resolved.messages_url());
        warn_of_plain_http(settings.base_url());
        println!(
            "Statuses come to the URL that `trunkline webhook show {account} --url URL` prints; it goes into the \
             application's status URL at the provider."
        );
        Ok(())
    }
}

fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "it is `v0.1` or `v1`".to_owned())
}
