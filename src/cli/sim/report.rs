//! Tells what the webhook said to the carrier.

use serde_json::Value;

use crate::cli::call_server::Server;
use crate::cli::error::CliError;
use crate::cli::shell_word::{shell_word, this_program};

/// After a message or a receipt.
pub(super) fn report(server: &Server, answer: &Value) -> Result<(), CliError> {
    check_taken(server, answer, "the message was not taken")?;
    let umid = text(&answer["umid"]);
    let (program, url) = (this_program(), shell_word(server.url()));
    println!("Delivered as {umid}. What is sent back: {program} sim outbox --url {url}");
    Ok(())
}

/// Whether the webhook answered with success.
pub(super) fn check_taken(server: &Server, answer: &Value, otherwise: &str) -> Result<(), CliError> {
    let status = answer["webhookStatus"].as_u64().and_then(|status| u16::try_from(status).ok());
    match status {
        Some(200..300) => Ok(()),
        status => Err(CliError::Refused {
            call: format!("the webhook of {}", server.url()),
            status: status.unwrap_or_default(),
            message: otherwise.to_owned(),
        }),
    }
}

/// A value in one cell of a table.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.replace('\n', " "))
}
