//! What the Workflows and Messages API asks of its callers, and of the workflows that steps start.

use std::num::NonZeroU32;

use trunkline_workflow::dispatch::{Rules, Strictness};

use super::listen::parse_rate;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workflows API")]
pub struct WorkflowsApiSettings {
    /// Requests an API key of the Workflows and Messages API may make in a second, on each server
    #[arg(
        long = "workflows-rate",
        env = "TRUNKLINE_WORKFLOWS_RATE",
        value_name = "REQUESTS",
        default_value = "30",
        value_parser = parse_rate
    )]
    rate: NonZeroU32,
    #[command(flatten)]
    workflows: WorkflowRulesSettings,
}

/// Told to servers and workers alike.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Workflows API")]
pub struct WorkflowRulesSettings {
    /// Messages a workflow of that API may have
    #[arg(
        long = "workflows-steps",
        env = "TRUNKLINE_WORKFLOWS_STEPS",
        value_name = "COUNT",
        default_value_t = 25,
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    steps: u16,
    /// Whether a workflow may wait for `read` on channels that never report it: sms and mms
    #[arg(
        long = "workflows-checks",
        env = "TRUNKLINE_WORKFLOWS_CHECKS",
        value_name = "RULE",
        value_enum,
        default_value_t = Checks::Lenient
    )]
    checks: Checks,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Checks {
    /// It may, and fails over when the message expires
    Lenient,
    /// It is refused
    Strict,
}

impl WorkflowsApiSettings {
    pub fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    pub fn rules(&self) -> Rules {
        self.workflows.rules()
    }
}

impl WorkflowRulesSettings {
    pub fn rules(&self) -> Rules {
        Rules {
            most_steps: self.steps.into(),
            strictness: match self.checks {
                Checks::Lenient => Strictness::Lenient,
                Checks::Strict => Strictness::Strict,
            },
        }
    }
}
