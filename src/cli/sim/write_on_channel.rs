//! A user writes on a channel of the Messages API.

use clap::ValueEnum;
use serde_json::{Value, json};

use super::report::report;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;

#[derive(Debug, clap::Args)]
pub(super) struct ChannelMessage {
    /// What the user writes
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<String>,
    /// The channel
    #[arg(long, value_enum, default_value_t = Channel::Sms)]
    channel: Channel,
    /// The user's number, or id on Messenger [default: 6590001111, 2000000000000002]
    #[arg(long)]
    from: Option<String>,
    /// The number, or the id, that is written to [default: 6580002222, 1000000000000001]
    #[arg(long)]
    to: Option<String>,
    /// The generation of the webhook
    #[arg(long, value_enum, value_name = "VERSION", default_value_t = Generation::First)]
    webhook_version: Generation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Channel {
    Sms,
    Mms,
    Whatsapp,
    ViberServiceMsg,
    Messenger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Generation {
    #[value(name = "v0.1")]
    First,
    #[value(name = "v1")]
    Second,
}

impl ChannelMessage {
    fn into_request(self) -> Value {
        let from = self.from.unwrap_or_else(|| {
            let from = if self.channel == Channel::Messenger { "2000000000000002" } else { "6590001111" };
            from.to_owned()
        });
        let mut request = json!({
            "channel": name(&self.channel),
            "from": from,
            "text": self.text.join(" "),
            "version": name(&self.webhook_version),
        });
        if let Some(to) = self.to {
            request["to"] = json!(to);
        }
        request
    }
}

/// As it is typed.
fn name(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("none is hidden");
    value.get_name().to_owned()
}

pub(super) async fn write_on_channel(server: &Server, message: ChannelMessage) -> Result<(), CliError> {
    let answer = server.post("/sandbox/messages", message.into_request().to_string().into_bytes()).await?;
    report(server, &answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::ChannelMessage;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        message: ChannelMessage,
    }

    fn request(words: &str) -> Result<Value, clap::Error> {
        let line = Line::try_parse_from(["message"].into_iter().chain(words.split(' ')))?;
        Ok(line.message.into_request())
    }

    #[test]
    fn a_user_has_a_number_or_an_id_as_the_channel_wants_it() {
        assert_eq!(
            request("hi there").unwrap(),
            json!({"channel": "sms", "from": "6590001111", "text": "hi there", "version": "v0.1"})
        );
        assert_eq!(
            request("--channel messenger --webhook-version v1 hi").unwrap(),
            json!({"channel": "messenger", "from": "2000000000000002", "text": "hi", "version": "v1"})
        );
        assert_eq!(
            request("--channel viber_service_msg --from +4479 --to 77 hi").unwrap(),
            json!({"channel": "viber_service_msg", "from": "+4479", "text": "hi", "version": "v0.1", "to": "77"})
        );
        assert!(request("--channel telegram hi").is_err());
    }
}
