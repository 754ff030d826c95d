//! `connector set`: what each provider needs to be told.

use std::path::PathBuf;

use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_connectors::converse::ConverseSettings;
use trunkline_connectors::eight_by_eight::{EightByEightSettings, Region, VoiceApi};
use trunkline_store::connectors::{ConnectorKind, ListedConnector, ListedSecret, NewConnector, NewSignature};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use super::command::parse_subaccount;
use super::read_secret::{read_api_key, read_authorization};
use super::set_messages_api::SetMessagesApi;
use crate::cli::at_this_shell::at_this_shell;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::{
    SealingStoreSettings, is_readable_on_the_way, is_same_origin, parse_base_url, parse_web_url,
};

const EIGHT_BY_EIGHT: ConnectorKind = ConnectorKind::EightByEight;
const CONVERSE: ConnectorKind = ConnectorKind::Converse;

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
    /// The Messages API, by which workflows of the Workflows API send
    MessagesApi(SetMessagesApi),
}

#[derive(Debug, clap::Args)]
pub(super) struct SetEightByEight {
    /// For this subaccount alone [default: for all that have none of their own]
    #[arg(long, value_parser = parse_subaccount)]
    subaccount: Option<String>,
    /// A file with the platform's API key; `-` is standard input
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// Where the account is: asia-pacific, north-america, europe or indonesia [default: as before, at first
    /// asia-pacific]
    #[arg(long, value_parser = parse_region)]
    region: Option<Region>,
    /// Where SMS go [default: as before, at first the region's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    sms_url: Option<String>,
    /// Where chat messages go [default: as before, at first the region's host]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    chat_apps_url: Option<String>,
    /// Where calls go [default: as before, at first the host of the voice API]
    #[arg(long, value_name = "URL", value_parser = parse_base_url)]
    voice_url: Option<String>,
    /// The generation of the voice API: callflows, or calls, the first one [default: as before, at first callflows]
    #[arg(long, value_name = "API", value_parser = parse_voice_api)]
    voice_api: Option<VoiceApi>,
    /// Forget what the connector was told before
    #[arg(long)]
    afresh: bool,
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
    /// A file with the value of the `Authorization` header; `-` is standard input [default: as before, at first no
    /// such header]. It has to be named again when the URL moves to another server
    #[arg(long, value_name = "FILE")]
    authorization_file: Option<PathBuf>,
    /// Forget what the connector was told before
    #[arg(long)]
    afresh: bool,
    #[command(flatten)]
    store: SealingStoreSettings,
}

impl SetConnector {
    pub(super) async fn run(self, account: &AccountId) -> Result<(), CliError> {
        match self {
            Self::EightByEight(set) => set.run(account).await,
            Self::Converse(set) => set.run(account).await,
            Self::MessagesApi(set) => set.run(account).await,
        }
    }
}

impl SetEightByEight {
    async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let key = read_api_key(self.api_key_file.as_deref())?;
        let store = open(&self.store).await?;
        let subaccount = self.subaccount.as_deref();
        let before = if self.afresh {
            None
        } else {
            store.look_up_connector(account, EIGHT_BY_EIGHT, subaccount).await?
        };
        let before: EightByEightSettings =
            before.map(|found| read(found.settings)).transpose()?.unwrap_or_default();
        let settings = EightByEightSettings {
            region: self.region.unwrap_or(before.region),
            sms_url: self.sms_url.or(before.sms_url),
            chat_apps_url: self.chat_apps_url.or(before.chat_apps_url),
            voice_url: self.voice_url.or(before.voice_url),
            voice_api: self.voice_api.unwrap_or(before.voice_api),
        };
        let written = serde_json::to_value(&settings).expect("texts and names are JSON");
        let secret = Some(&key[..]);
        let new = NewConnector { account, kind: EIGHT_BY_EIGHT, subaccount, settings: &written, secret };
        set_connector(&store, new).await?;
        println!("  region     {}", settings.region);
        println!("  SMS        {}", settings.sms_url());
        println!("  chat apps  {}", settings.chat_apps_url());
        println!("  voice      {}, {}", settings.voice_url(), settings.voice_api.as_str());
        for url in [settings.sms_url(), settings.chat_apps_url(), settings.voice_url()] {
            warn_of_plain_http(url);
        }
        println!(
            "Try it: trunkline connector test {account} --subaccount {}",
            subaccount.unwrap_or("SUBACCOUNT")
        );
        Ok(())
    }
}

impl SetConverse {
    async fn run(self, account: &AccountId) -> Result<(), CliError> {
        let named = self.authorization_file.as_deref().map(read_authorization).transpose()?;
        let store = open(&self.store).await?;
        let subaccount = self.subaccount.as_deref();
        let authorization = match named {
            Some(named) => Some(named),
            None if self.afresh => None,
            None => match store.look_up_connector(account, CONVERSE, subaccount).await? {
                Some(before) => keep_authorization(before, &self.url)?,
                None => None,
            },
        };
        let settings: Value =
            serde_json::to_value(ConverseSettings { url: self.url.clone() }).expect("a text is JSON");
        let secret = authorization.as_deref();
        let new = NewConnector { account, kind: CONVERSE, subaccount, settings: &settings, secret };
        set_connector(&store, new).await?;
        println!("  URL            {}", self.url);
        println!("  Authorization  {}", if secret.is_some() { "sent" } else { "none" });
        warn_of_plain_http(&self.url);
        Ok(())
    }
}

pub(super) async fn open(store: &SealingStoreSettings) -> Result<Store, CliError> {
    let store = store.open()?;
    reach(&store).await?;
    store.check_ready().await?;
    Ok(store)
}

/// What was told for one server is not sent to another.
fn keep_authorization(before: ListedConnector, url: &str) -> Result<Option<String>, CliError> {
    let secret = match before.secret {
        ListedSecret::None => return Ok(None),
        ListedSecret::Opened(secret) => secret,
        ListedSecret::Sealed(_) => {
            return Err(CliError::BadSetting {
                name: "--authorization-file",
                problem: "the value of before cannot be unsealed: it must be named, or `--afresh` be said",
            });
        }
    };
    let before: ConverseSettings = read(before.settings)?;
    if !is_same_origin(&before.url, url) {
        return Err(CliError::OtherOrigin { before: before.url, url: url.to_owned() });
    }
    Ok(Some(secret))
}

pub(super) fn read<T: DeserializeOwned>(settings: Value) -> Result<T, CliError> {
    let settings = serde_json::from_value(settings);
    Ok(settings.map_err(|error| StoreError::Damaged(format!("connectors.settings: {error}")))?)
}

async fn set_connector(store: &Store, new: NewConnector<'_>) -> Result<(), CliError> {
    set_signing_connector(store, new, NewSignature::None).await
}

pub(super) async fn set_signing_connector(
    store: &Store,
    new: NewConnector<'_>,
    signature: NewSignature<'_>,
) -> Result<(), CliError> {
    if !store.set_signing_connector(new, signature, &at_this_shell()).await? {
        return Err(CliError::NoAccount(new.account.to_string()));
    }
    let of = new.subaccount.map(|id| format!(", subaccount `{id}`")).unwrap_or_default();
    println!("Connector `{}` of account `{}`{of} set:", new.kind.as_str(), new.account);
    Ok(())
}

pub(super) fn warn_of_plain_http(url: &str) {
    if is_readable_on_the_way(url) {
        eprintln!(
            "WARNING: `{url}` is not https: everybody on the way there can read the secret and what is sent."
        );
    }
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::parse(text).ok_or_else(|| format!("it is one of {}", Region::ALL.map(Region::as_str).join(", ")))
}

fn parse_voice_api(text: &str) -> Result<VoiceApi, String> {
    VoiceApi::parse(text).ok_or_else(|| "it is `callflows` or `calls`".to_owned())
}
