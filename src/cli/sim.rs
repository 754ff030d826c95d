//! `trunkline sim`: plays the phones around a running `trunkline dev`, through its sandbox carrier.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::call_server::Server;
use super::dev::{DEFAULT_DATA_DIR, EnvFile};
use super::error::CliError;
use super::print_table::table;
use super::shell_word::{shell_word, this_program};

/// Be the phone of a user: write to a running `trunkline dev`, see what it sent
#[derive(Debug, clap::Args)]
pub struct Sim {
    #[command(subcommand)]
    action: Action,
    /// Where it runs [default: as the file `env` in its data folder says]
    #[arg(long, env = "TRUNKLINE_URL", value_name = "URL", global = true)]
    url: Option<String>,
    /// Its data folder
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_DATA_DIR, global = true)]
    data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// A user sends an SMS
    Sms {
        #[command(flatten)]
        message: Message,
    },
    /// A user writes in a chat app
    Chat {
        #[command(flatten)]
        message: Message,
        /// The app
        #[arg(long, default_value = "whatsapp")]
        channel: String,
        /// The user's display name
        #[arg(long)]
        name: Option<String>,
    },
    /// List what was sent, newest first
    Outbox {
        /// Only to this number or user id
        #[arg(long)]
        to: Option<String>,
    },
    /// Report what became of a sent message
    Receipt {
        /// The message's id, as the outbox shows it
        id: uuid::Uuid,
        /// queued, rejected, sent, delivered, undelivered or read
        state: String,
    },
}

#[derive(Debug, clap::Args)]
struct Message {
    /// What the user writes
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// The user's number, or id in the app
    #[arg(long, default_value = "+6590001111")]
    from: String,
    /// The number, or the business channel, that is written to
    #[arg(long)]
    to: Option<String>,
    /// The subaccount that the message comes in for [default: the account's own for the channel]
    #[arg(long, value_name = "SUBACCOUNT")]
    subaccount: Option<String>,
}

impl Message {
    fn into_request(self) -> Map<String, Value> {
        let mut request = Map::new();
        request.insert("from".to_owned(), json!(self.from));
        request.insert("text".to_owned(), json!(self.text.join(" ")));
        for (name, value) in [("to", self.to), ("subAccountId", self.subaccount)] {
            if let Some(value) = value {
                request.insert(name.to_owned(), json!(value));
            }
        }
        request
    }
}

impl Sim {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let server = find_dev(self.url.as_deref(), &self.data_dir)?;
        match self.action {
            Action::Sms { message } => write_in(&server, "/sandbox/sms", message.into_request()).await,
            Action::Chat { message, channel, name } => {
                let mut request = message.into_request();
                request.insert("channel".to_owned(), json!(channel));
                if let Some(name) = name {
                    request.insert("name".to_owned(), json!(name));
                }
                write_in(&server, "/sandbox/chat", request).await
            }
            Action::Outbox { to } => show_outbox(&server, to.as_deref()).await,
            Action::Receipt { id, state } => {
                let path = format!("/sandbox/outbox/{id}/status");
                let answer = server.post(&path, json!({"state": state}).to_string().into_bytes()).await?;
                report(&server, &answer)
            }
        }
    }
}

fn find_dev(url: Option<&str>, data_dir: &Path) -> Result<Server, CliError> {
    let from_file = || EnvFile::read(data_dir).map(|env| env.url);
    let url = url.map(str::to_owned).or_else(from_file);
    let url = url.ok_or_else(|| CliError::NoDev { path: EnvFile::path(data_dir) })?;
    Ok(Server::new(&url, None))
}

async fn write_in(server: &Server, path: &str, request: Map<String, Value>) -> Result<(), CliError> {
    let answer = server.post(path, Value::Object(request).to_string().into_bytes()).await?;
    report(server, &answer)
}

/// What the webhook said to the carrier.
fn report(server: &Server, answer: &Value) -> Result<(), CliError> {
    let status = answer["webhookStatus"].as_u64().and_then(|status| u16::try_from(status).ok());
    match status {
        Some(200..300) => {
            let umid = text(&answer["umid"]);
            let (program, url) = (this_program(), shell_word(server.url()));
            println!("Delivered as {umid}. What is sent back: {program} sim outbox --url {url}");
            Ok(())
        }
        status => Err(CliError::Refused {
            call: format!("the webhook of {}", server.url()),
            status: status.unwrap_or_default(),
            message: "the message was not taken".to_owned(),
        }),
    }
}

async fn show_outbox(server: &Server, to: Option<&str>) -> Result<(), CliError> {
    let query = to.map(|to| {
        let digits: String = to.chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).collect();
        format!("?destination={digits}")
    });
    let answer = server.get(&format!("/sandbox/outbox{}", query.unwrap_or_default())).await?;
    let rows: Vec<_> = answer
        .as_array()
        .into_iter()
        .flatten()
        .map(|message| {
            ["sentAt", "umid", "channel", "destination", "status", "body"].map(|name| text(&message[name]))
        })
        .collect();
    if rows.is_empty() {
        println!("Nothing was sent.");
    }
    print!("{}", table(["sent", "id", "channel", "to", "status", "text"], &rows));
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.replace('\n', " "))
}
