//! What `dev` says when it is ready.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use super::database::{Database, Place};
use super::env_file::EnvFile;
use crate::cli::shell_word::{shell_word, this_program};

pub(super) struct Banner<'a> {
    pub(super) database: &'a Database,
    pub(super) env: &'a EnvFile,
    pub(super) data_dir: &'a Path,
    pub(super) workers: u16,
    /// The command for that.
    pub(super) start_over: &'a str,
    pub(super) started_in: Duration,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnvFile { url, account, api_key, webhook_secret, workflows_api_key, workflows_api_secret } =
            self.env;
        let env_file = EnvFile::path(self.data_dir);
        let seconds = self.started_in.as_secs_f64();
        writeln!(f, "\nTrunkline {}, ready after {seconds:.1} s\n", env!("CARGO_PKG_VERSION"))?;
        self.write_database(f)?;
        writeln!(f, "  API          {url}/api/v1/accounts/{account}")?;
        writeln!(f, "  Reference    {url}/docs, {url}/openapi.json")?;
        writeln!(f, "  Webhook      {url}/webhooks/v1/accounts/{account}/messages")?;
        writeln!(f, "               Authorization: {webhook_secret}")?;
        writeln!(f, "  Sandbox      {url}/sandbox/outbox (what was sent), {url}/sandbox")?;
        writeln!(f, "  Steps        may call this machine and the public internet, no private network")?;
        writeln!(f, "  Health       {url}/healthz, {url}/readyz")?;
        writeln!(f, "  Account      {account}")?;
        writeln!(f, "  API key      {api_key}")?;
        writeln!(f, "  Workflows    {url}/v0.1/dispatch, {url}/v0.1/messages")?;
        writeln!(f, "               {workflows_api_key}:{workflows_api_secret} (Basic)")?;
        writeln!(f, "               statuses and reports go to {url}/sandbox/service")?;
        writeln!(f, "  Workers      {}", self.workers)?;
        write_next(f, &shell_word(&env_file.to_string_lossy()))?;
        write!(f, "\nCtrl-C stops everything. The data stays, the sandbox's outbox does not")?;
        match &self.database.place {
            Place::Private { .. } => writeln!(f, ".\nTo start over: {}", self.start_over),
            Place::Named { .. } => writeln!(f, "."),
        }
    }
}

impl Banner<'_> {
    fn write_database(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = &self.database.version;
        match &self.database.place {
            Place::Private { folder, url, note } => {
                writeln!(f, "  PostgreSQL   {version}, its data in {}", folder.display())?;
                if let Some(note) = note {
                    writeln!(f, "               {note}")?;
                }
                writeln!(f, "               psql {}", shell_word(url))
            }
            Place::Named { url } => {
                writeln!(f, "  PostgreSQL   {version}, {url}")?;
                writeln!(
                    f,
                    "               WARNING: the messages and calls of all of its accounts go to the sandbox now, past \
                     their\n               connectors, and no conversation is handed over"
                )
            }
        }
    }
}

/// Every line can be pasted into a shell, one after the other.
fn write_next(f: &mut fmt::Formatter<'_>, env_file: &str) -> fmt::Result {
    let program = this_program();
    writeln!(
        f,
        r#"
Try next, in another shell:

  . {env_file}

  # Somebody texts you; the example "Pong" replies. Then see what was sent.
  curl -sw '\n' "$TRUNKLINE_URL/sandbox/sms" -H 'Content-Type: application/json' -d '{{"from": "+6590001111", "text": "ping"}}'
  sleep 1; curl -sw '\n' "$TRUNKLINE_URL/sandbox/outbox?limit=1"

  # The menu asks, and waits for the reply of this number.
  curl -sw '\n' "$TRUNKLINE_URL/sandbox/sms" -H 'Content-Type: application/json' -d '{{"from": "+6590002222", "text": "hi", "subAccountId": "dev_menu"}}'
  sleep 1; curl -sw '\n' "$TRUNKLINE_URL/sandbox/sms" -H 'Content-Type: application/json' -d '{{"from": "+6590002222", "text": "1", "subAccountId": "dev_menu"}}'

  # An HTTP call starts the service check; what it found is texted, so it shows in the outbox.
  curl -sw '\n' "$TRUNKLINE_URL/api/v1/accounts/$TRUNKLINE_ACCOUNT/triggers/http_request?subAccountId=dev_checks" -H "Authorization: Bearer $TRUNKLINE_API_KEY" -H 'Content-Type: application/json' -d "{{\"url\": \"$TRUNKLINE_URL/healthz\", \"phone\": \"+6590003333\"}}"
  sleep 1; {program} sim outbox --to +6590003333

  # A workflow of the Workflows API: Messenger first, where the sandbox delivers nothing to ids that end in 0203,
  # then SMS, which arrives at numbers that end in 0201. Then see what your service was told: statuses, a report.
  curl -sw '\n' "$TRUNKLINE_URL/v0.1/dispatch" -u "$TRUNKLINE_WORKFLOWS_API_KEY:$TRUNKLINE_WORKFLOWS_API_SECRET" -H 'Content-Type: application/json' -d '{{"template": "failover", "workflow": [{{"from": {{"type": "messenger", "id": "1000000000000001"}}, "to": {{"type": "messenger", "id": "2000000000000203"}}, "message": {{"content": {{"type": "text", "text": "Your parcel is here"}}}}, "failover": {{"expiry_time": 600, "condition_status": "read"}}}}, {{"from": {{"type": "sms", "number": "447700900001"}}, "to": {{"type": "sms", "number": "447700900201"}}, "message": {{"content": {{"type": "text", "text": "Your parcel is here"}}}}}}]}}'
  sleep 2; curl -sw '\n' "$TRUNKLINE_URL/sandbox/service"

  # The phone without curl.
  {program} sim sms --from +6590004444 hello

  # All definitions, the examples among them.
  curl -sw '\n' "$TRUNKLINE_URL/api/v1/accounts/$TRUNKLINE_ACCOUNT/definitions" -H "Authorization: Bearer $TRUNKLINE_API_KEY""#
    )
}
