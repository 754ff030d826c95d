//! What became of a sent message.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::report::report;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;

/// Report what became of a sent message (of a call: `sim call`)
#[derive(Debug, clap::Args)]
pub(super) struct Receipt {
    /// The message's id, as the outbox shows it
    id: Uuid,
    /// queued, rejected, sent, delivered, undelivered or read; of a message of a workflow submitted, delivered, read,
    /// rejected or undeliverable
    state: String,
    /// Why it failed
    #[arg(long, value_name = "CODE")]
    code: Option<i64>,
    /// The same in words [default: of a message of a workflow, those of the code]
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What a message of a workflow costs, in EUR
    #[arg(long)]
    price: Option<String>,
}

impl Receipt {
    fn into_request(self) -> Value {
        let mut request = Map::from_iter([("state".to_owned(), json!(self.state))]);
        let more = [
            ("errorCode", self.code.map(Value::from)),
            ("errorMessage", self.reason.map(Value::from)),
            ("price", self.price.map(Value::from)),
        ];
        request.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Value::Object(request)
    }
}

pub(super) async fn report_status(server: &Server, receipt: Receipt) -> Result<(), CliError> {
    let path = format!("/sandbox/outbox/{}/status", receipt.id);
    let answer = server.post(&path, receipt.into_request().to_string().into_bytes()).await?;
    report(server, &answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::Receipt;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        receipt: Receipt,
    }

    #[test]
    fn a_receipt_says_what_was_named_and_nothing_else() {
        let id = "f2a4c6e8-1b3d-4f50-8a72-94b6d8f0a1c2";
        let request = |words: &[&str]| -> Value {
            Line::try_parse_from(["receipt", id].iter().chain(words)).unwrap().receipt.into_request()
        };
        assert_eq!(request(&["delivered"]), json!({"state": "delivered"}));
        assert_eq!(
            request(&["rejected", "--code", "1300", "--reason", "No Viber", "--price", "0.01"]),
            json!({"state": "rejected", "errorCode": 1300, "errorMessage": "No Viber", "price": "0.01"})
        );
    }
}
