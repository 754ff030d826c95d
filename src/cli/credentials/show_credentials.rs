//! `credentials show`: everything but the secrets themselves.

use chrono::{DateTime, Utc};
use trunkline_store::Store;
use trunkline_store::nexmo_secrets::ListedSecret;
use trunkline_workflow::AccountId;

use super::command::find;
use crate::cli::error::CliError;
use crate::cli::print_table::table;

pub(super) async fn show_credentials(account: &AccountId, store: &Store) -> Result<(), CliError> {
    let holder = find(store, account).await?;
    let url = |url: Option<String>| url.unwrap_or_else(|| "nowhere".to_owned());
    println!("API key               {}", holder.api_key);
    println!("Standing              {}", if holder.standing.is_suspended() { "suspended" } else { "active" });
    println!("Statuses and reports  {}", url(holder.urls.status));
    println!("Inbound messages      {}", url(holder.urls.inbound));
    println!("Callbacks             {}", if holder.is_signing { "signed" } else { "not signed" });
    let rows: Vec<_> = store.list_secrets(account).await?.iter().map(row).collect();
    if !rows.is_empty() {
        println!();
    }
    print!("{}", table(["id", "secret", "created", "revoked"], &rows));
    Ok(())
}

fn row(secret: &ListedSecret) -> [String; 4] {
    let time = |time: DateTime<Utc>| time.format("%F %T UTC").to_string();
    [
        secret.id.to_string(),
        format!("{}…", secret.prefix),
        time(secret.created_at),
        secret.revoked_at.map_or_else(|| "-".to_owned(), time),
    ]
}
