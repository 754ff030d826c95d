//! What a phone can do, and the server that it does it to.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::call::Call;
use super::report_status::{Receipt, report_status};
use super::show_outbox::show_outbox;
use super::write_message::{ChatMessage, Message, write_chat_message, write_sms};
use super::write_on_channel::{ChannelMessage, write_on_channel};
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
    /// A user writes on a channel of the Messages API
    Message {
        #[command(flatten)]
        message: ChannelMessage,
    },
    /// List what was sent, newest first
    Outbox {
        /// Only to this number or user id
        #[arg(long)]
        to: Option<String>,
    },
    Receipt(Receipt),
    Call(Call),
}

impl Sim {
    pub(in crate::cli) async fn run(self) -> Result<(), CliError> {
        let server = find_dev(self.url.as_deref(), &self.data_dir)?;
        match self.action {
            Action::Sms { message } => write_sms(&server, message).await,
            Action::Chat { message } => write_chat_message(&server, message).await,
            Action::Outbox { to } => show_outbox(&server, to.as_deref()).await,
            Action::Message { message } => write_on_channel(&server, message).await,
            Action::Receipt(receipt) => report_status(&server, receipt).await,
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
