//! `webhook show`: where the platform is to report to, and the calls that tell it so.

use std::fmt::Write;

use trunkline_connectors::eight_by_eight::{
    EightByEightSettings, OurWebhooks, Registration, register_webhooks,
};
use trunkline_store::connectors::ConnectorKind;
use trunkline_store::webhook_settings::{dtmf_token, webhook_secret_from_random};
use trunkline_store::{Store, StoreError};
use trunkline_workflow::AccountId;

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
        let webhook = store.ensure_webhook_settings(account, &fresh).await?;
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
        print!("{}", describe(&self.url, account, &webhook.secret, &registrations));
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

fn describe(base: &str, account: &AccountId, secret: &str, registrations: &[Registration]) -> String {
    let root = format!("{base}/webhooks/v1/accounts/{account}");
    let mut text = format!(
        "Messages and receipts  {root}/messages\n\
         Calls                  {root}/voice\n\
         Authorization          {secret}\n\
         \n\
         Key presses            {root}/dtmf?token={token}\n\
         (for a call's `dtmfCallbackUrl`; workers with `TRUNKLINE_PUBLIC_URL` put it there by themselves)\n\
         Message statuses       {root}/message-status?token={token}\n\
         (for the status URL of the application at the Messages API, if workflows send by it)\n\
         \n\
         Register them, with an API key of the platform and its own ids:\n\
         \n\
         export API_KEY=…",
        token = dtmf_token(secret),
    );
    let calls: Vec<String> = registrations.iter().map(curl).collect();
    for name in [PLATFORM_ACCOUNT, SUBACCOUNT] {
        let variable = name.trim_matches(['{', '}']);
        if calls.iter().any(|call| call.contains(&format!("${name}"))) {
            write!(text, " {variable}=…").expect("writing to a string cannot end in an error");
        }
    }
    text.push('\n');
    for (registration, call) in registrations.iter().zip(&calls) {
        write!(text, "\n# {}\n{call}\n", registration.product)
            .expect("writing to a string cannot end in an error");
    }
    text
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
        let text = describe("https://t.example", &account, secret, &registrations);
        for line in [
            "Messages and receipts  https://t.example/webhooks/v1/accounts/acme/messages",
            "Authorization          Bearer trunkline_whk_x",
            &format!(
                "Key presses            https://t.example/webhooks/v1/accounts/acme/dtmf?token={}",
                dtmf_token(secret)
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
