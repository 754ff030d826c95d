//! What became of a batch's instances.

use clap::ValueEnum;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::print_table::table;
use crate::cli::settings::AccountApi;

/// The server's own limit.
const LARGEST_PAGE: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Pending,
    Done,
    Skipped,
    Failed,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListItems {
    /// The batch
    id: Uuid,
    /// Only those
    #[arg(long, value_enum)]
    state: Option<State>,
    /// How many to list at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Those behind this number
    #[arg(long, value_name = "NUMBER")]
    after: Option<u32>,
}

pub(super) async fn list_items(api: &AccountApi, list: &ListItems, output: Output) -> Result<(), CliError> {
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let state = list.state.and_then(|state| state.to_possible_value());
    let state = state.map(|state| format!("&state={}", state.get_name())).unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    let mut next = list.after.map(u64::from);
    loop {
        let size = (limit - items.len()).min(LARGEST_PAGE);
        let after = next.map(|after| format!("&after={after}")).unwrap_or_default();
        let path = format!("/batches/{}/items?limit={size}{state}{after}", list.id);
        let mut page = api.server.get(&api.path(&path)).await?;
        if let Value::Array(page) = page["items"].take() {
            items.extend(page);
        }
        next = page["next"].as_u64();
        if next.is_none() || items.len() >= limit {
            break;
        }
    }
    if output == Output::Json {
        print_json(&json!({"items": items, "next": next}));
        return Ok(());
    }
    let row = |item: &Value| {
        [
            cell(&item["n"]),
            cell(&item["instanceId"]),
            cell(&item["state"]),
            cell(&item["rerun"]),
            time(&item["decidedAt"]),
            cell(&item["reason"]),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    if rows.is_empty() {
        eprintln!("No instance.");
    }
    print!("{}", table(["n", "instance", "state", "run again as", "decided", "reason"], &rows));
    if let Some(next) = next {
        eprintln!("There are more: --after {next}");
    }
    Ok(())
}
