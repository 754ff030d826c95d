//! The definitions to begin with, created through the API like everybody's.

use serde_json::Value;

use super::seed_account::ACCOUNT;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;

/// The newest is listed first, so the simplest is created last.
const EXAMPLES: [&str; 5] = [
    include_str!("../../../examples/service-check.json"),
    include_str!("../../../examples/country-routing.json"),
    include_str!("../../../examples/keyword-menu.json"),
    include_str!("../../../examples/out-of-office.json"),
    include_str!("../../../examples/pong.json"),
];

/// Does nothing when the account has definitions already. How many there are now is not told: 100 are as good
/// as one.
pub(super) async fn seed_examples(server: &Server) -> Result<(), CliError> {
    let path = format!("/api/v1/accounts/{ACCOUNT}/definitions");
    let existing = server.get(&format!("{path}?limit=1")).await?;
    if existing.as_array().is_some_and(|definitions: &Vec<Value>| !definitions.is_empty()) {
        return Ok(());
    }
    for example in EXAMPLES {
        server.post(&path, example.as_bytes().to_vec()).await?;
    }
    Ok(())
}
