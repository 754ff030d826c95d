//! How a worker works, and with what.

use std::time::Duration;

use trunkline_connectors::eight_by_eight::MessagingConfig;
use trunkline_connectors::outbound::{AddressPolicy, IpNet, OutboundClient, parse_network};
use trunkline_expressions::{Evaluator, EvaluatorCommand, Limits};
use trunkline_workers::{Settings, Tools};

use super::secret::Secret;
use crate::cli::error::CliError;

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
        default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    slots: u32,
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
    /// The messaging platform's key; without it, steps that send fail
    #[arg(
        long,
        env = "TRUNKLINE_PROVIDER_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Messaging platform"
    )]
    provider_api_key: Option<Secret>,
    /// Where the platform takes SMS
    #[arg(
        long,
        env = "TRUNKLINE_SMS_URL",
        value_name = "URL",
        default_value = "https://sms.8x8.com",
        value_parser = parse_base_url,
        help_heading = "Messaging platform"
    )]
    sms_url: String,
    /// Where the platform takes chat messages
    #[arg(
        long,
        env = "TRUNKLINE_CHAT_APPS_URL",
        value_name = "URL",
        default_value = "https://chatapps.8x8.com",
        value_parser = parse_base_url,
        help_heading = "Messaging platform"
    )]
    chat_apps_url: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Networks(Vec<IpNet>);

impl WorkerSettings {
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.name.clone().unwrap_or_else(default_name),
            slots: usize::try_from(self.slots).expect("the range is far below any limit"),
            lease: Duration::from_secs(self.lease),
            poll_interval: Duration::from_millis(self.poll),
            grace: Duration::from_secs(self.grace),
            retention: Duration::from_secs(self.retention * DAY),
        }
    }

    pub fn tools(&self) -> Result<Tools, CliError> {
        let key = self.provider_api_key.as_ref().map(|key| key.as_header("TRUNKLINE_PROVIDER_API_KEY"));
        let messaging = key.transpose()?.map(|key| MessagingConfig {
            sms_url: self.sms_url.clone(),
            chat_apps_url: self.chat_apps_url.clone(),
            api_key: key.to_owned(),
        });
        let allowed = self.allow_addresses.as_ref().map(|networks| networks.0.clone()).unwrap_or_default();
        Ok(Tools {
            evaluator: evaluators(self.evaluators, Duration::from_millis(self.script)),
            // Their targets are the operator's own choice.
            providers: OutboundClient::new(AddressPolicy { allow_private: true, allowed: Vec::new() }),
            outbound: OutboundClient::new(AddressPolicy { allow_private: false, allowed }),
            messaging,
        })
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

/// A list with commas; an empty one is what deployments write for "none".
fn parse_networks(text: &str) -> Result<Networks, String> {
    if text.trim().is_empty() {
        return Ok(Networks(Vec::new()));
    }
    let network = |part: &str| {
        parse_network(part)
            .map_err(|_| format!("`{part}` is neither a network (`10.1.0.0/16`) nor an address"))
    };
    text.split(',').map(network).collect::<Result<_, _>>().map(Networks)
}

/// Without the slash at its end: paths are appended to it.
fn parse_base_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text.trim()).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
        return Err("it reads `https://host` or `https://host/path`".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_from_a_list() {
        assert_eq!(parse_networks(" "), Ok(Networks(Vec::new())));
        assert_eq!(parse_networks("10.1.0.0/16, ::1").unwrap().0.len(), 2);
        for bad in ["10.1.0.0/33", "10.1.0.0/16,", "intranet"] {
            assert!(parse_networks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base_urls_are_absolute_and_end_without_a_slash() {
        assert_eq!(parse_base_url("https://a.example/"), Ok("https://a.example".to_owned()));
        assert_eq!(parse_base_url("http://127.0.0.1:9/sms/"), Ok("http://127.0.0.1:9/sms".to_owned()));
        for bad in ["", "a.example", "ftp://a.example", "https://a.example/?x=1", "https:"] {
            assert!(parse_base_url(bad).is_err(), "{bad}");
        }
    }
}
