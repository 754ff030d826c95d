//! What a phone can do, and the server that it does it to.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::call::Call;
use super::report::report;
use super::show_outbox::show_outbox;
use super::write_message::{ChatMessage, Message, write_chat_message, write_sms};
use crate::cli::call_server::Server;
use crate::cli::dev::{DEFAULT_DATA_DIR, EnvFile};
use crate::cli::error::CliError;

/// Be the phone of a user: write to a running `trunkline dev`, see what it sent, take its calls
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
        message: ChatMessage,
    },
    /// List what was sent, newest first
    Outbox {
        /// Only to this number or user id
        #[arg(long)]
        to: Option<String>,
    },
    /// Report what became of a sent message (of a call: `sim call`)
    Receipt {
        /// The message's id, as the outbox shows it
        id: uuid::Uuid,
        /// queued, rejected, sent, delivered, undelivered or read
        state: String,
    },
    Call(Call),
}

impl Sim {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let server = find_dev(self.url.as_deref(), &self.data_dir)?;
        match self.action {
            Action::Sms { message } => write_sms(&server, message).await,
            Action::Chat { message } => write_chat_message(&server, message).await,
            Action::Outbox { to } => show_outbox(&server, to.as_deref()).await,
            Action::Receipt { id, state } => {
                let path = format!("/sandbox/outbox/{id}/status");
                let answer = server.post(&path, json!({"state": state}).to_string().into_bytes()).await?;
                report(&server, &answer)
            }
            Action::Call(call) => call.run(&server).await,
        }
    }
}

fn find_dev(url: Option<&str>, data_dir: &Path) -> Result<Server, CliError> {
    let from_file = || EnvFile::read(data_dir).map(|env| env.url);
    let url = url.map(str::to_owned).or_else(from_file);
    let url = url.ok_or_else(|| CliError::NoDev { path: EnvFile::path(data_dir) })?;
    Ok(Server::new(&url, None))
}
