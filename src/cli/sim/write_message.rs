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

#[derive(Debug, clap::Args)]
pub(super) struct ChatMessage {
    #[command(flatten)]
    message: Message,
    /// The app
    #[arg(long, default_value = "whatsapp")]
    channel: String,
    /// The user's display name
    #[arg(long)]
    name: Option<String>,
    /// The generation of the webhook: 2 has the number as user id, 3 an id of its own for WhatsApp and none for
    /// Viber and RCS [default: 2 for a number, 3 for another id]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(2..=3))]
    webhook_version: Option<u8>,
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

impl ChatMessage {
    fn into_request(self) -> Map<String, Value> {
        let mut request = self.message.into_request();
        request.insert("channel".to_owned(), json!(self.channel));
        if let Some(name) = self.name {
            request.insert("name".to_owned(), json!(name));
        }
        if let Some(version) = self.webhook_version {
            request.insert("version".to_owned(), json!(version));
        }
        request
    }
}

pub(super) async fn write_sms(server: &Server, message: Message) -> Result<(), CliError> {
    write_in(server, "/sandbox/sms", message.into_request()).await
}

pub(super) async fn write_chat_message(server: &Server, message: ChatMessage) -> Result<(), CliError> {
    write_in(server, "/sandbox/chat", message.into_request()).await
}

async fn write_in(server: &Server, path: &str, request: Map<String, Value>) -> Result<(), CliError> {
    let answer = server.post(path, Value::Object(request).to_string().into_bytes()).await?;
    report(server, &answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::ChatMessage;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        message: ChatMessage,
    }

    fn request(words: &[&str]) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from(["chat"].iter().chain(words))?;
        Ok(Value::Object(line.message.into_request()))
    }

    #[test]
    fn a_chat_message_asks_for_what_was_named_and_nothing_else() {
        let plain = json!({"from": "+6590001111", "text": "hi there", "channel": "whatsapp"});
        assert_eq!(request(&["hi", "there"]).unwrap(), plain);
        let words =
            "--from SG.9 --to 5512 --subaccount shop --channel viber --name Mei --webhook-version 3 hi";
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(
            request(&words).unwrap(),
            json!({"from": "SG.9", "text": "hi", "to": "5512", "subAccountId": "shop", "channel": "viber",
                "name": "Mei", "version": 3})
        );
        for version in ["1", "4", "three"] {
            assert!(request(&["--webhook-version", version, "hi"]).is_err());
        }
    }
}
