//! `trunkline account create|list|quota`: the tenants.

use clap::Subcommand;
use trunkline_store::usage::QuotaChange;
use trunkline_workflow::AccountId;

use super::at_this_shell::at_this_shell;
use super::error::CliError;
use super::print_table::table;
use super::reach_database::reach;
use super::settings::DatabaseSettings;

const LONGEST_ID: usize = 100;

/// Create and list accounts, and what they may start
#[derive(Debug, clap::Args)]
pub struct AccountCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an account
    Create {
        /// The account's id, as it stands in URLs
        #[arg(value_parser = parse_account)]
        account: AccountId,
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        database: DatabaseSettings,
    },
    /// Show or change how many workflows an account may start in a month
    ///
    /// An account has no quota unless you give it one. Without `--overage no` the allowed number is only told.
    /// With it, beyond the number triggers start nothing and starts by hand are refused until the next month
    /// (UTC). Servers notice a change within seconds; starts at the same moment may go beyond by their number.
    Quota {
        /// The account
        #[arg(value_parser = parse_account)]
        account: AccountId,
        /// How many workflows it may start in a month
        #[arg(long, value_name = "N|unlimited", value_parser = parse_allowed)]
        allowed: Option<Allowed>,
        /// Whether it may start more than that
        #[arg(long, value_name = "yes|no", value_parser = parse_yes_or_no)]
        overage: Option<bool>,
        /// What each of those costs, as `GET usage` tells it
        #[arg(long, value_name = "PRICE", value_parser = parse_price)]
        overage_price: Option<f64>,
        #[command(flatten)]
        database: DatabaseSettings,
    },
}

impl AccountCommand {
    pub(super) async fn run(self) -> Result<(), CliError> {
        match self.action {
            Action::Create { account, database } => create(&account, &database).await,
            Action::List { database } => list(&database).await,
            Action::Quota { account, allowed, overage, overage_price, database } => {
                let allowed = allowed.map(|Allowed(number)| number);
                quota(&account, QuotaChange { allowed, overage, overage_price }, &database).await
            }
        }
    }
}

async fn create(account: &AccountId, database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if !store.create_account(account).await? {
        return Err(CliError::AccountExists(account.to_string()));
    }
    println!("Account `{account}` created. Its first API key: trunkline key create {account}");
    Ok(())
}

async fn list(database: &DatabaseSettings) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    let accounts = store.list_accounts().await?;
    let row = |account: &trunkline_store::accounts::Account| {
        [account.id.to_string(), account.created_at.format("%F %T UTC").to_string()]
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    print!("{}", table(["account", "created"], &rows));
    Ok(())
}

async fn quota(
    account: &AccountId,
    change: QuotaChange,
    database: &DatabaseSettings,
) -> Result<(), CliError> {
    let store = database.open()?;
    reach(&store).await?;
    if change != QuotaChange::default() {
        store.change_quota(account, change, &at_this_shell()).await?;
    }
    let usage = store.usage(account).await?.ok_or_else(|| CliError::NoAccount(account.to_string()))?;
    let row = [
        account.to_string(),
        usage.quota.allowed.map_or("unlimited".to_owned(), |number| number.to_string()),
        if usage.quota.overage { "yes" } else { "no" }.to_owned(),
        usage.quota.overage_price.to_string(),
        usage.this_month.started.to_string(),
        format!("{}-{:02}", usage.this_month.year, usage.this_month.month),
    ];
    print!("{}", table(["account", "allowed a month", "overage", "overage price", "started", "in"], &[row]));
    Ok(())
}

/// Workflows a month; `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Allowed(Option<i64>);

/// Clients of the API read the number as an integer of 32 bits.
fn parse_allowed(text: &str) -> Result<Allowed, String> {
    if text == "unlimited" {
        return Ok(Allowed(None));
    }
    match text.parse::<i32>() {
        Ok(number) if number >= 0 => Ok(Allowed(Some(number.into()))),
        _ => Err(format!("it is a number from 0 to {}, or `unlimited`", i32::MAX)),
    }
}

fn parse_yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it is `yes` or `no`".to_owned()),
    }
}

fn parse_price(text: &str) -> Result<f64, String> {
    let price = text.parse::<f64>().ok().filter(|price| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "it is a number like 0.005".to_owned())
}

/// New accounts stand in URLs as they are, so that nobody has to encode them.
pub(super) fn parse_account(text: &str) -> Result<AccountId, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || text.len() > LONGEST_ID || !text.chars().all(plain) {
        return Err(format!("an account's id has 1 to {LONGEST_ID} letters, digits, `-`, `.` and `_`"));
    }
    Ok(AccountId::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_needs_no_encoding_in_urls() {
        for good in ["acme", "InternalDemo_8dD15", "a-b.c"] {
            assert!(parse_account(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a b", "a/b", "ä", "-x", &"x".repeat(101)] {
            assert!(parse_account(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quota_is_read() {
        assert_eq!(parse_allowed("unlimited"), Ok(Allowed(None)));
        assert_eq!(parse_allowed("0"), Ok(Allowed(Some(0))));
        for bad in ["-1", "", "many", "2147483648", "1.5"] {
            assert!(parse_allowed(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_price("0.005"), Ok(0.005));
        for bad in ["-1", "NaN", "inf", "x", ""] {
            assert!(parse_price(bad).is_err(), "{bad}");
        }
        assert_eq!((parse_yes_or_no("yes"), parse_yes_or_no("no")), (Ok(true), Ok(false)));
        assert!(parse_yes_or_no("YES").is_err());
    }
}
