//! What was sent.

use super::report::text;
use crate::cli::call_server::Server;
use crate::cli::error::CliError;
use crate::cli::print_table::table;

pub(super) async fn show_outbox(server: &Server, to: Option<&str>) -> Result<(), CliError> {
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
