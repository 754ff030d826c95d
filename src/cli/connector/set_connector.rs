//! `connector set`: what each provider needs to be told.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;
use trunkline_connectors::converse::ConverseSettings;
use trunkline_connectors::eight_by_eight::{EightByEightSettings, Region, VoiceApi};
use trunkline_store::connectors::{ConnectorKind, NewConnector};
use trunkline_workflow::AccountId;

use super::command::parse_subaccount;
use super::read_secret::{read_api_key, read_authorization};
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::{SealingStoreSettings, parse_base_url, parse_web_url};

#[derive(Debug, Subcommand)]
pub(super) enum SetConnector {
    /// The 8x8 platform: SMS, chat apps, voice
    ///
    /// The API key is read from `--api-key-file`, else from the variable `TRUNKLINE_PROVIDER_API_KEY`, else from
    /// standard input: other users of the machine can read a command line.
    #[command(name = "8x8")]
    EightByEight(SetEightByEight),
    /// The service that `SendToConverse` steps hand conversations over to
    Converse(SetConverse),
}

#[derive(Debug, clap::Args)]
pub(super) struct SetEightByEight {
    /// For this subaccount alone [default: for all that have none of their own]
    #[arg(long, value_parser = parse_subaccount)]
    subaccount: Option<String>,
    /// A file with the platform's API key; `-` is standard input
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Where the account is: asia-pacific, north-america, europe or indonesia
    #[arg(long, default_value = "asia-pacific", value_parser = parse_region)]
    region: Region,
    /// Where SMS go [default: the region's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    sms_url: Option<String>,
    /// Where chat messages go [default: the region's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    chat_apps_url: Option<String>,
    /// Where calls go [default: the host of the voice API]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    voice_url: Option<String>,
    /// The generation of the voice API: callflows, or calls, the first one
    #[arg(long, value_name = "API", default_value = "callflows", value_parser = parse_voice_api)]
    voice_api: VoiceApi,
    #[command(flatten)]
    store: SealingStoreSettings,
}

#[derive(Debug, clap::Args)]
pub(super) struct SetConverse {
    /// For this subaccount alone [default: for all that have none of their own]
    #[arg(long, value_parser = parse_subaccount)]
    subaccount: Option<String>,
    /// Where conversations are posted to
    #[arg(long, value_name = "URL", value_parser = parse_web_url)]
    url: String,
    /// A file with the value of the `Authorization` header; `-` is standard input [default: no such header]
    #[arg(long, value_name = "FILE")]
    authorization_file: Option<PathBuf>,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl SetConnector {
    pub(super) async fn run(self, account: &AccountId) -> Result<(), CliError> {
        match self {
            Self::EightByEight(set) => set.run(account).await,
            Self::Converse(set) => set.run(account).await,
        }
    }
}

impl SetEightByEight {
    async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let settings = EightByEightSettings {
            region: self.region,
            sms_url: self.sms_url,
            chat_apps_url: self.chat_apps_url,
            voice_url: self.voice_url,
            voice_api: self.voice_api,
        };
        let settings = serde_json::to_value(settings).expect("texts and names are JSON");
        let key = read_api_key(self.api_key_file.as_deref())?;
        let new = NewConnector {
            account,
            kind: ConnectorKind::EightByEight,
            subaccount: self.subaccount.as_deref(),
            settings: &settings,
            secret: Some(&key),
        };
        set_connector(new, &self.store).await?;
        let subaccount = self.subaccount.as_deref().unwrap_or("SUBACCOUNT");
        println!("Try it: trunkline connector test {account} --subaccount {subaccount}");
        Ok(())
    }
}

impl SetConverse {
    async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let settings: Value =
            serde_json::to_value(ConverseSettings { url: self.url }).expect("a text is JSON");
        let authorization = self.authorization_file.as_deref().map(read_authorization).transpose()?;
        let new = NewConnector {
            account,
            kind: ConnectorKind::Converse,
            subaccount: self.subaccount.as_deref(),
            settings: &settings,
            secret: authorization.as_deref(),
        };
        set_connector(new, &self.store).await
    }
}

async fn set_connector(new: NewConnector<'_>, store: &SealingStoreSettings) -> Result<(), CliError> {
    let store = store.open()?;
    reach(&store).await?;
    if !store.set_connector(new).await? {
        return Err(CliError::NoAccount(new.account.to_string()));
    }
    let of = new.subaccount.map(|id| format!(", subaccount `{id}`")).unwrap_or_default();
    println!("Connector `{}` of account `{}`{of} set.", new.kind.as_str(), new.account);
    Ok(())
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| format!("it is one of {}", Region::ALL.map(Region::as_str).join(", ")))
}

fn parse_voice_api(text: &str) -> Result<VoiceApi, String> {
    VoiceApi::parse(text).ok_or_else(|| "it is `callflows` or `calls`".to_owned())
}
