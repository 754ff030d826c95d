//! Which instances there are.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::conditions::Conditions;
use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::print_table::table;
use crate::cli::settings::AccountApi;

/// The server's own limit.
const LARGEST_PAGE: usize = 500;
/// Characters of an error in a table.
const LONGEST_ERROR: usize = 60;

#[derive(Debug, clap::Args)]
pub(super) struct ListInstances {
    #[command(flatten)]
    conditions: Conditions,
    /// How many to list at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on where a list ended
    #[arg(long)]
    cursor: Option<String>,
}

pub(super) async fn list_instances(
    api: &AccountApi,
    list: ListInstances,
    output: Output,
) -> Result<(), CliError> {
    let query = list.conditions.query();
    let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
    let mut items: Vec<Value> = Vec::new();
    let mut next = list.cursor.clone();
    // A page may be short and not the last.
    loop {
        let size = (limit - items.len()).min(LARGEST_PAGE).to_string();
        let page = [("limit".to_owned(), size)].into_iter();
        let page = page.chain(next.take().map(|cursor| ("cursor".to_owned(), cursor)));
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = query
            .iter()
            .cloned()
            .chain(page)
            .map(|(name, value)| format!("{}={}", encode(&name), encode(&value)))
            .collect();
        let mut answer = api.server.get(&api.path(&format!("/instances?{}", query.join("&")))).await?;
        if let Value::Array(page) = answer["items"].take() {
            items.extend(page);
        }
        next = answer["next"].as_str().map(str::to_owned);
        if next.is_none() || items.len() >= limit {
            break;
        }
    }
    match output {
        Output::Json => print_json(&json!({"items": items, "next": next})),
        Output::Table => print_rows(&items, next.as_deref()),
    }
    Ok(())
}

fn print_rows(items: &[Value], next: Option<&str>) {
    if items.is_empty() {
        eprintln!("No instance.");
    }
    let row = |item: &Value| {
        let failure = &item["failure"];
        let error = failure["message"].as_str().unwrap_or_default();
        let short: String = error.chars().take(LONGEST_ERROR).collect();
        let short = if short == error { short } else { format!("{short}…") };
        [
            cell(&item["instanceId"]),
            cell(&item["name"]),
            cell(&item["version"]),
            cell(&item["status"]),
            time(&item["startedAt"]),
            time(&item["completedAt"]),
            cell(&failure["step"]),
            cell(&failure["fingerprint"]),
            cell(&short.into()),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    let header = [
        "id",
        "definition",
        "version",
        "status",
        "started",
        "completed",
        "failed at",
        "fingerprint",
        "error",
    ];
    print!("{}", table(header, &rows));
    if let Some(next) = next {
        eprintln!("There are more: --cursor {next}");
    }
}
