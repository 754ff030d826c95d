//! The definitions to begin with, created through the API like everybody's.

use serde_json::Value;

use super::seed_account::ACCOUNT;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;

/// The newest is listed first, so the simplest is created last.
const EXAMPLES: [&str; 13] = [
    include_str!("../../../examples/weekly-report.json"),
    include_str!("../../../examples/undelivered-to-api.json"),
    include_str!("../../../examples/urgent-notice.json"),
    include_str!("../../../examples/fallback-to-sms.json"),
    include_str!("../../../examples/customer-care.json"),
    include_str!("../../../examples/voice-confirmation.json"),
    include_str!("../../../examples/appointment-reminder.json"),
    include_str!("../../../examples/order-intake.json"),
    include_str!("../../../examples/service-check.json"),
    include_str!("../../../examples/country-routing.json"),
    include_str!("../../../examples/keyword-menu.json"),
    include_str!("../../../examples/out-of-office.json"),
    include_str!("../../../examples/pong.json"),
];

/// Where the examples look for services, and where `dev` is unless it is told otherwise.
const USUAL_URL: &str = "http://127.0.0.1:8080";

/// Does nothing when the account has definitions already. How many there are now is not told: 100 are as good
/// as one.
pub(super) async fn seed_examples(server: &Server) -> Result<(), CliError> {
    let path = format!("/api/v1/accounts/{ACCOUNT}/definitions");
    let existing = server.get(&format!("{path}?limit=1")).await?;
    if existing.as_array().is_some_and(|definitions: &Vec<Value>| !definitions.is_empty()) {
        return Ok(());
    }
    for example in EXAMPLES {
        let example = example.replace(USUAL_URL, server.url());
        server.post(&path, example.into_bytes()).await?;
    }
    Ok(())
}
