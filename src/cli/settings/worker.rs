//! How a worker works, and with what.

use std::time::Duration;

use trunkline_connectors::outbound::{AddressPolicy, OutboundClient};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits};
use trunkline_store::pools::{Accounts, Steps};
use trunkline_workers::{ConnectorUse, Settings, Tools};

use super::accounts::{AccountList, parse_accounts};
use super::networks::{Networks, parse_networks};
use super::rules::RulesSettings;
use super::steps::{StepList, parse_steps};

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Worker")]
pub struct WorkerSettings {
    /// What the worker is called in logs and lists [default: the machine's name and the process id]
    #[arg(long, env = "TRUNKLINE_WORKER_NAME", value_name = "NAME", value_parser = check_name)]
    name: Option<String>,
    /// Steps it holds at the same time
    #[arg(
        long,
        env = "TRUNKLINE_WORKER_SLOTS",
        value_name = "COUNT",
        default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    slots: u32,
    /// Steps of one account that it holds at the same time, so that one whose endpoints are slow cannot fill it
    /// [default: three quarters of the slots, or all while there is no other account]
    #[arg(
        long,
        env = "TRUNKLINE_SLOTS_PER_ACCOUNT",
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    slots_per_account: Option<u32>,
    /// Accounts whose steps it executes, and no others' [default: all]
    #[arg(
        long,
        env = "TRUNKLINE_WORKER_ACCOUNTS",
        value_name = "ACCOUNT,…",
        value_parser = parse_accounts,
        conflicts_with = "except_accounts"
    )]
    accounts: Option<AccountList>,
    /// Accounts whose steps it leaves to other workers [default: none]
    #[arg(long, env = "TRUNKLINE_WORKER_EXCEPT_ACCOUNTS", value_name = "ACCOUNT,…", value_parser = parse_accounts)]
    except_accounts: Option<AccountList>,
    /// Types of the steps that it executes, and no others [default: all]
    #[arg(
        id = "worker_steps",
        long = "steps",
        env = "TRUNKLINE_WORKER_STEPS",
        value_name = "TYPE,…",
        value_parser = parse_steps,
        conflicts_with = "except_steps"
    )]
    steps: Option<StepList>,
    /// Types of the steps that it leaves to other workers [default: none]
    #[arg(long, env = "TRUNKLINE_WORKER_EXCEPT_STEPS", value_name = "TYPE,…", value_parser = parse_steps)]
    except_steps: Option<StepList>,
    /// Seconds without a sign of life after which other workers take over its steps
    #[arg(
        long,
        env = "TRUNKLINE_LEASE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(3..=3600)
    )]
    lease: u64,
    /// Milliseconds between two looks for work while there is none; hints make it look at once
    #[arg(
        long,
        env = "TRUNKLINE_POLL_MILLISECONDS",
        value_name = "MILLISECONDS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u64).range(50..=60_000)
    )]
    poll: u64,
    /// Seconds that running steps have to finish when the worker stops; then they are given back
    #[arg(
        long,
        env = "TRUNKLINE_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=3600)
    )]
    grace: u64,
    /// Days that ended instances and their logs are kept
    #[arg(
        long,
        env = "TRUNKLINE_RETENTION_DAYS",
        value_name = "DAYS",
        default_value_t = 90,
        value_parser = clap::value_parser!(u64).range(1..=36_500)
    )]
    retention: u64,
    /// Processes that evaluate scripts [default: one per processor core]
    #[arg(
        long,
        env = "TRUNKLINE_EVALUATORS",
        value_name = "COUNT",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    evaluators: Option<u16>,
    /// Milliseconds of processor time that a script may take
    #[arg(
        long,
        env = "TRUNKLINE_SCRIPT_MILLISECONDS",
        value_name = "MILLISECONDS",
        default_value_t = 500,
        value_parser = clap::value_parser!(u64).range(1..=60_000)
    )]
    script: u64,
    /// Networks that HttpRequest steps may call although they are private: 10.1.0.0/16,192.168.1.7 [default: none]
    #[arg(
        long,
        env = "TRUNKLINE_ALLOW_ADDRESSES",
        value_name = "CIDR,…",
        value_parser = parse_networks
    )]
    allow_addresses: Option<Networks>,
    #[command(flatten)]
    rules: RulesSettings,
}

impl WorkerSettings {
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.name.clone().unwrap_or_else(default_name),
            slots: count(self.slots),
            slots_per_account: self.slots_per_account.map(count),
            accounts: match (&self.accounts, &self.except_accounts) {
                (Some(accounts), _) => Accounts::Only(accounts.0.clone()),
                (None, Some(accounts)) => Accounts::Except(accounts.0.clone()),
                (None, None) => Accounts::All,
            },
            steps: match (&self.steps, &self.except_steps) {
                (Some(steps), _) => Steps::Only(steps.0.clone()),
                (None, Some(steps)) => Steps::Except(steps.0.clone()),
                (None, None) => Steps::All,
            },
            lease: Duration::from_secs(self.lease),
            poll_interval: Duration::from_millis(self.poll),
            grace: Duration::from_secs(self.grace),
            retention: Duration::from_secs(self.retention * DAY),
        }
    }

    pub fn tools(&self) -> Tools {
        let allowed = self.allow_addresses.as_ref().map(|networks| networks.0.clone()).unwrap_or_default();
        Tools {
            evaluator: evaluators(self.evaluators, Duration::from_millis(self.script)),
            // Their targets are the operator's own choice.
            providers: OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() }),
            outbound: OutboundClient::new(AddressPolicy { allow_private: false, allowed }),
            // Accounts have connectors.
            fallback: None,
            messages_fallback: None,
            connectors: ConnectorUse::First,
            rules: self.rules.rules(),
        }
    }
}

/// Children of this very program; as many as there are cores unless a number is given.
pub(crate) fn evaluators(children: Option<u16>, timeout: Duration) -> Evaluator {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let children = children.map_or_else(cores, usize::from);
    Evaluator::new(
        EvaluatorCommand::this_program(["evaluator"]),
        children,
        Limits { timeout, ..Limits::default() },
    )
}

fn count(slots: u32) -> usize {
    usize::try_from(slots).expect("the range is far below any limit")
}

fn default_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let name = if name.trim().is_empty() { "worker" } else { name.trim() };
    format!("{name}-{}", std::process::id())
}

fn check_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err("a name has 1 to 100 visible characters".to_owned());
    }
    Ok(name.to_owned())
}
