//! `connector set ACCOUNT messages-api`: the provider of workflows' messages (Workflows API 12).

use std::path::PathBuf;

use trunkline_connectors::clock;
use trunkline_connectors::messages_api::{Auth, MessagesApiSettings, SmsRoute, Version};
use trunkline_store::connectors::{ConnectorKind, ListedSecret, NewConnector, NewSignature};
use trunkline_workflow::AccountId;
use uuid::Uuid;

use super::command::parse_subaccount;
use super::read_secret::read_secret;
use super::set_connector::{open, read, set_signing_connector, warn_of_plain_http};
use crate::cli::error::CliError;
use crate::cli::settings::{SealingStoreSettings, parse_base_url};

const KIND: ConnectorKind = ConnectorKind::MessagesApi;
const SECRET_FILE: &str = "--secret-file";
const SIGNATURE_SECRET_FILE: &str = "--signature-secret-file";

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
    /// The version of the API that is spoken: v0.1 or v1 [default: as before, at first v0.1]
    #[arg(long = "api-version", value_name = "VERSION", value_parser = parse_version)]
    version: Option<Version>,
    /// Where messages go [default: as before, at first the provider's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    base_url: Option<String>,
    /// Who sends SMS: messages-api, or 8x8, by the account's connector of that name [default: as before, at first
    /// messages-api]
    #[arg(long, value_name = "ROUTE", value_parser = parse_route)]
    sms_route: Option<SmsRoute>,
    /// The subaccount of 8x8 in whose name SMS are sent there [default: as before]
    #[arg(long, value_name = "SUBACCOUNT", value_parser = parse_subaccount)]
    sms_subaccount: Option<String>,
    /// A file with the secret that the provider signs its webhooks with; `-` is standard input [default: as before, at
    /// first none]
    ///
    /// With it, webhooks of the Messages API are known by their signature, and by nothing else.
    #[arg(long, value_name = "FILE")]
    signature_secret_file: Option<PathBuf>,
    /// Forget what the connector was told before
    #[arg(long)]
    afresh: bool,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl SetMessagesApi {
    pub(super) async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let secret = read_secret(&self.secret_file, SECRET_FILE)?;
        let named = self.signature_secret_file.as_deref();
        let named = named.map(|file| read_secret(file, SIGNATURE_SECRET_FILE)).transpose()?;
        let store = open(&self.store).await?;
        let before = if self.afresh { None } else { store.look_up_connector(account, KIND, None).await? };
        let was_signing = before.as_ref().is_some_and(|before| before.signature_secret != ListedSecret::None);
        let before: Option<MessagesApiSettings> = before.map(|before| read(before.settings)).transpose()?;
        let settings = self.settings(before)?;
        // A key that does not sign is found out now.
        let unusable = |problem: String| CliError::Unusable { what: SECRET_FILE, problem };
        let resolved = settings.resolve(&secret).map_err(|error| unusable(error.to_string()))?;
        resolved.authorization(clock::now(), Uuid::new_v4()).map_err(|error| unusable(error.to_string()))?;
        let written = serde_json::to_value(&settings).expect("texts and names are JSON");
        let secret = Some(&secret[..]);
        let new = NewConnector { account, kind: KIND, subaccount: None, settings: &written, secret };
        let signature = match &named {
            Some(secret) => NewSignature::Secret(secret),
            None if self.afresh => NewSignature::None,
            None => NewSignature::AsBefore,
        };
        set_signing_connector(&store, new, signature).await?;
        println!("  messages  {}", resolved.messages_url());
        match resolved.sms_sub_account() {
            Some(id) => println!("  SMS       by connector `8x8`, subaccount `{id}`"),
            None => println!("  SMS       the same"),
        }
        println!(
            "  webhooks  {}",
            if named.is_some() || was_signing { "signed by the provider" } else { "not signed" }
        );
        warn_of_plain_http(settings.base_url());
        println!(
            "Statuses and inbound messages come to the URLs that `trunkline webhook show {account} --url URL` prints; \
             they go into the application's settings at the provider."
        );
        Ok(())
    }

    /// What is not named stays.
    fn settings(&self, before: Option<MessagesApiSettings>) -> Result<MessagesApiSettings, CliError> {
        let auth = match (&self.api_key, self.application_id) {
            (Some(api_key), _) => Auth::Basic { api_key: api_key.clone() },
            (None, Some(id)) => Auth::Jwt { application_id: id.to_string() },
            (None, None) => {
                return Err(CliError::BadSetting {
                    name: "--api-key",
                    problem: "it or `--application-id` is needed",
                });
            }
        };
        let mut settings = match before {
            Some(before) => MessagesApiSettings { auth, ..before },
            None => MessagesApiSettings {
                base_url: None,
                version: Version::default(),
                auth,
                sms: SmsRoute::default(),
                sms_sub_account_id: None,
            },
        };
        settings.base_url = self.base_url.clone().or(settings.base_url);
        settings.version = self.version.unwrap_or(settings.version);
        settings.sms = self.sms_route.unwrap_or(settings.sms);
        settings.sms_sub_account_id = self.sms_subaccount.clone().or(settings.sms_sub_account_id);
        if settings.sms == SmsRoute::EightByEight && settings.sms_sub_account_id.is_none() {
            return Err(CliError::BadSetting {
                name: "--sms-subaccount",
                problem: "`--sms-route 8x8` needs it: the subaccount of 8x8 in whose name SMS are sent",
            });
        }
        Ok(settings)
    }
}

fn parse_route(text: &str) -> Result<SmsRoute, String> {
    SmsRoute::parse(text)
        .ok_or_else(|| format!("it is one of {}", SmsRoute::ALL.map(SmsRoute::as_str).join(", ")))
}

fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "it is `v0.1` or `v1`".to_owned())
}
