//! Which instances there are.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::error::CliError;
use crate::cli::output::{Output, cell, print_json, time};
use crate::cli::print_table::table;
use crate::cli::settings::AccountApi;

/// The server's own limit.
const LARGEST_PAGE: usize = 500;
/// Characters of an error in a table.
const LONGEST_ERROR: usize = 60;

/// All conditions must hold.
#[derive(Debug, clap::Args)]
pub(super) struct ListInstances {
    /// Runnable, Suspended, Complete or Terminated
    #[arg(long)]
    status: Option<String>,
    /// Of this definition
    #[arg(long, value_name = "ID")]
    definition: Option<Uuid>,
    /// Of this version of it
    #[arg(long, value_name = "NUMBER")]
    version: Option<i32>,
    /// Failed at this step, or unfinished and at it
    #[arg(long)]
    step: Option<String>,
    /// Failed with these words in the error, in any letter case
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Failed with an error of this kind
    #[arg(long)]
    fingerprint: Option<String>,
    /// Of a definition of this subaccount
    #[arg(long, value_name = "ID")]
    sub_account: Option<String>,
    /// Started at this time or later: `2026-02-03T04:05Z`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Started before this time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    /// With this number anywhere in the context, in any spelling
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    phone: Option<String>,
    /// With this value in the context: `order.id=7`; more than one may be given
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_context)]
    context: Vec<(String, String)>,
    /// How many to list at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Go on where a list ended
    #[arg(long)]
    cursor: Option<String>,
}

fn parse_context(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(path, _)| !path.is_empty());
    let (path, value) = pair.ok_or("it reads `order.id=7`")?;
    Ok((path.to_owned(), value.to_owned()))
}

impl ListInstances {
    fn query(&self) -> Vec<(String, String)> {
        let conditions = [
            ("status", self.status.clone()),
            ("definitionId", self.definition.map(|id| id.to_string())),
            ("version", self.version.map(|version| version.to_string())),
            ("step", self.step.clone()),
            ("error", self.error.clone()),
            ("fingerprint", self.fingerprint.clone()),
            ("subAccountId", self.sub_account.clone()),
            ("startedFrom", self.from.clone()),
            ("startedBefore", self.before.clone()),
            ("phone", self.phone.clone()),
        ];
        let given = conditions.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given
            .chain(self.context.iter().map(|(path, value)| (format!("context.{path}"), value.clone())))
            .collect()
    }
}

pub(super) async fn list_instances(
    api: &AccountApi,
    list: ListInstances,
    output: Output,
) -> Result<(), CliError> {
    let query = list.query();
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
