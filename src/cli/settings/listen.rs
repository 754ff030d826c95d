//! Where the server listens, and whom it believes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use super::event_rules::EventRulesSettings;
use super::networks::{Networks, parse_networks};
use super::workflows_api::WorkflowsApiSettings;
use crate::api::ApiConfig;
use crate::api::automation::usage::show::UsageShape;

pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Requests a second: nobody makes more on one machine.
const MAX_RATE: u32 = 1_000_000;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ListenSettings {
    /// Address and port to listen on; 0.0.0.0 for all of the machine's addresses
    #[arg(long, env = "TRUNKLINE_LISTEN", value_name = "ADDRESS", default_value_t = DEFAULT_ADDRESS)]
    pub listen: SocketAddr,
    /// Proxies in front of the server, whose `X-Forwarded-For` is believed: 10.0.0.0/8,192.168.1.7 [default: none]
    #[arg(
        long,
        env = "TRUNKLINE_TRUSTED_PROXIES",
        value_name = "CIDR,…",
        value_parser = parse_networks
    )]
    trusted_proxies: Option<Networks>,
    /// Requests an account may make in a second, on each server [default: any number]
    #[arg(
        long,
        env = "TRUNKLINE_RATE_LIMIT",
        value_name = "REQUESTS",
        value_parser = parse_rate
    )]
    rate_limit: Option<NonZeroU32>,
    /// Whether `GET usage` answers with an array of one object or with the object
    #[arg(
        long,
        env = "TRUNKLINE_USAGE_SHAPE",
        value_name = "SHAPE",
        value_enum,
        default_value_t = UsageShape::Array
    )]
    usage_shape: UsageShape,
    #[command(flatten)]
    events: EventRulesSettings,
    #[command(flatten)]
    workflows_api: WorkflowsApiSettings,
    /// Seconds that running requests have to finish when the server stops
    #[arg(
        long,
        env = "TRUNKLINE_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=3600)
    )]
    grace: u64,
}

impl ListenSettings {
    pub fn api_config(&self) -> ApiConfig {
        ApiConfig {
            trusted_proxies: self.trusted_proxies.clone().unwrap_or_default().0,
            rate_limit: self.rate_limit,
            nexmo_rate: Some(self.workflows_api.rate()),
            dispatch_rules: self.workflows_api.rules(),
            usage_shape: self.usage_shape,
            recipients: self.events.recipients(),
            sms_aliases: self.events.sms_aliases(),
            ended_calls: self.events.ended_calls(),
        }
    }

    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace)
    }
}

pub(super) fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let rate = text.parse::<u32>().ok().filter(|rate| *rate <= MAX_RATE).and_then(NonZeroU32::new);
    rate.ok_or_else(|| format!("it is a number from 1 to {MAX_RATE}"))
}
