//! A user writes.

use serde_json::{Map, Value, json};

use super::report::report;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct Message {
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

pub(super) async fn write_sms(server: &Server, message: Message) -> Result<(), CliError> {
    write_in(server, "/sandbox/sms", message.into_request()).await
}

pub(super) async fn write_chat_message(
    server: &Server,
    message: Message,
    channel: &str,
    name: Option<&str>,
) -> Result<(), CliError> {
    let mut request = message.into_request();
    request.insert("channel".to_owned(), json!(channel));
    if let Some(name) = name {
        request.insert("name".to_owned(), json!(name));
    }
    write_in(server, "/sandbox/chat", request).await
}

async fn write_in(server: &Server, path: &str, request: Map<String, Value>) -> Result<(), CliError> {
    let answer = server.post(path, Value::Object(request).to_string().into_bytes()).await?;
    report(server, &answer)
}
