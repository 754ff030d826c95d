//! `webhook show`: where the platform is to report to, and the calls that tell it so.

use trunkline_connectors::eight_by_eight::{
    EightByEightSettings, OurWebhooks, Registration, register_webhooks,
};
use trunkline_store::connectors::{ConnectorKind, ListedSecret};
use trunkline_store::webhook_settings::{Headerless, dtmf_token, url_token, webhook_secret_from_random};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

use crate::cli::at_this_shell::at_this_shell;
use crate::cli::connector::parse_subaccount;
use crate::cli::error::CliError;
use crate::cli::reach_database::reach;
use crate::cli::settings::{SealingStoreSettings, parse_base_url};

/// Names of shell variables; in braces, which no URL of ours has.
const PLATFORM_ACCOUNT: &str = "{PLATFORM_ACCOUNT}";
const SUBACCOUNT: &str = "{SUBACCOUNT}";

#[derive(Debug, clap::Args)]
pub(super) struct ShowWebhooks {
    /// This installation, as the platform reaches it: `https://trunkline.example.com`
    #[arg(long, env = "TRUNKLINE_PUBLIC_URL", value_name = "URL", value_parser = parse_base_url)]
    url: String,
    /// The subaccount that places calls, and whose connector says where the platform is
    #[arg(long, value_parser = parse_subaccount)]
    subaccount: Option<String>,
}

impl ShowWebhooks {
    pub(super) async fn run(self, account: &AccountId, store: &SealingStoreSettings) -> Result<(), CliError> {
        let store = store.open()?;
        reach(&store).await?;
        let fresh = webhook_secret_from_random(rand::random());
        let webhook = store.ensure_webhook_settings(account, &fresh, &at_this_shell()).await?;
        let webhook = webhook.ok_or_else(|| CliError::NoAccount(account.to_string()))?;
        let settings = self.platform(&store, account).await?;
        let registrations = register_webhooks(
            &settings,
            &OurWebhooks {
                base_url: &self.url,
                account: account.as_str(),
                secret: &webhook.secret,
                platform_account: PLATFORM_ACCOUNT,
                sub_account: self.subaccount.as_deref().unwrap_or(SUBACCOUNT),
            },
        );
        let messages_api = store.look_up_connector(account, ConnectorKind::MessagesApi, None).await?;
        let messages_api = match messages_api {
            Some(connector) if connector.signature_secret != ListedSecret::None => MessagesApiCalls::Signed,
            Some(_) => MessagesApiCalls::WithToken,
            None => MessagesApiCalls::None,
        };
        let ours = Ours { base: &self.url, account, secret: &webhook.secret, messages_api };
        print!("{}", ours.describe(&registrations));
        Ok(())
    }

    /// Where the connector says that the platform is; without one, where most are.
    async fn platform(&self, store: &Store, account: &AccountId) -> Result<EightByEightSettings, CliError> {
        let kind = ConnectorKind::EightByEight;
        let connector = store.find_connector(account, kind, self.subaccount.as_deref()).await?;
        let Some(connector) = connector else { return Ok(EightByEightSettings::default()) };
        let settings = serde_json::from_value(connector.settings);
        Ok(settings.map_err(|error| StoreError::Damaged(format!("connectors.settings: {error}")))?)
    }
}

/// What the providers are to be told of.
struct Ours<'a> {
    base: &'a str,
    account: &'a AccountId,
    secret: &'a str,
    messages_api: MessagesApiCalls,
}

/// How the Messages API shows that it is it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessagesApiCalls {
    /// The account does not use it.
    None,
    WithToken,
    /// It signs them, and needs no token.
    Signed,
}

impl Ours<'_> {
    fn describe(&self, registrations: &[Registration]) -> String {
        let calls: Vec<String> = registrations.iter().map(curl).collect();
        let variables = [PLATFORM_ACCOUNT, SUBACCOUNT].into_iter().filter_map(|name| {
            let is_used = calls.iter().any(|call| call.contains(&format!("${name}")));
            is_used.then(|| format!(" {}=…", name.trim_matches(['{', '}'])))
        });
        let registered = registrations
            .iter()
            .zip(&calls)
            .map(|(registration, call)| format!("\n# {}\n{call}\n", registration.product));
        format!(
            "{}{}\nRegister them, with an API key of the platform and its own ids:\n\nexport API_KEY=…{}\n{}",
            self.platform(),
            self.messages_api(),
            variables.collect::<String>(),
            registered.collect::<String>(),
        )
    }

    fn platform(&self) -> String {
        format!(
            "Messages and receipts  {root}/messages\n\
             Calls                  {root}/voice\n\
             Authorization          {secret}\n\
             \n\
             Key presses            {root}/dtmf?token={token}\n\
             (for a call's `dtmfCallbackUrl`; workers with `TRUNKLINE_PUBLIC_URL` put it there by themselves)\n",
            root = self.root(),
            secret = self.secret,
            token = dtmf_token(self.secret),
        )
    }

    fn messages_api(&self) -> String {
        if self.messages_api == MessagesApiCalls::None {
            return String::new();
        }
        let url = |webhook: Headerless| {
            let query = match self.messages_api {
                MessagesApiCalls::WithToken => format!("?token={}", url_token(self.secret, webhook)),
                MessagesApiCalls::Signed | MessagesApiCalls::None => String::new(),
            };
            format!("{}/{}{query}", self.root(), webhook.as_str())
        };
        format!(
            "\n\
             Message statuses       {}\n\
             Inbound messages       {}\n\
             (for the status URL and the inbound URL of the application at the Messages API)\n",
            url(Headerless::MessageStatus),
            url(Headerless::InboundMessage),
        )
    }

    fn root(&self) -> String {
        format!("{}/webhooks/v1/accounts/{}", self.base, self.account)
    }
}

/// What is secret goes to curl by its standard input: other users of the machine can read command lines.
fn curl(registration: &Registration) -> String {
    let Registration { method, url, body, .. } = registration;
    // The shell fills the variables in.
    let url = of_here_document(url).replace('{', "${");
    let body = of_here_document(&of_curl_config(&body.to_string()));
    format!(
        "curl -sS --config - <<END\n\
         request = {method}\n\
         url = \"{url}\"\n\
         header = \"Authorization: Bearer $API_KEY\"\n\
         header = \"Content-Type: application/json\"\n\
         data = \"{body}\"\n\
         END"
    )
}

/// Between double quotes in a configuration of curl's.
fn of_curl_config(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#)
}

/// In a here-document whose variables the shell fills in. It leaves a backslash alone unless one of its own special
/// characters follows; in a text for curl those that precede another come in pairs.
fn of_here_document(text: &str) -> String {
    text.replace(r"\\", r"\\\\").replace('$', r"\$").replace('`', r"\`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_can_be_pasted_once_the_variables_are_set() {
        let account = AccountId::new("acme");
        let secret = "Bearer trunkline_whk_x";
        let ours = OurWebhooks {
            base_url: "https://t.example",
            account: "acme",
            secret,
            platform_account: PLATFORM_ACCOUNT,
            sub_account: SUBACCOUNT,
        };
        let registrations = register_webhooks(&EightByEightSettings::default(), &ours);
        let messages_api = MessagesApiCalls::None;
        let ours = Ours { base: "https://t.example", account: &account, secret, messages_api };
        let text = ours.describe(&registrations);
        assert!(!text.contains("message-status"), "{text}");
        let text = Ours { messages_api: MessagesApiCalls::WithToken, ..ours }.describe(&registrations);
        for line in [
            "Messages and receipts  https://t.example/webhooks/v1/accounts/acme/messages",
            "Authorization          Bearer trunkline_whk_x",
            &format!(
                "Key presses            https://t.example/webhooks/v1/accounts/acme/dtmf?token={}",
                dtmf_token(secret)
            ),
            &format!(
                "Inbound messages       https://t.example/webhooks/v1/accounts/acme/inbound-message?token={}",
                url_token(secret, Headerless::InboundMessage)
            ),
            "export API_KEY=… PLATFORM_ACCOUNT=… SUBACCOUNT=…",
        ] {
            assert!(text.lines().any(|said| said == line), "no `{line}` in {text}");
        }
        let calls: Vec<&str> = text.split("curl -sS --config - <<END\n").skip(1).collect();
        assert_eq!(calls.len(), 5, "{text}");
        assert!(
            calls[0].starts_with(
                "request = POST\n\
                 url = \"https://sms.8x8.com/api/v1/accounts/${PLATFORM_ACCOUNT}/webhooks\"\n\
                 header = \"Authorization: Bearer $API_KEY\"\n\
                 header = \"Content-Type: application/json\"\n\
                 data = \"[{\\\""
            ),
            "{}",
            calls[0]
        );
        assert!(calls[4].contains("/api/v1/subaccounts/${SUBACCOUNT}/webhooks\""), "{}", calls[4]);
    }
}
