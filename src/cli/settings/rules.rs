//! What the specification leaves to each installation.

use serde_json::Value;
use trunkline_workers::{HistoryLimit, InterruptedSends, Rules, TextAnswers};
use trunkline_workflow::dispatch::Price;
use trunkline_workflow::retry::RetryPolicy;

use super::base_url::parse_base_url;
use super::workflows_api::WorkflowRulesSettings;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Steps")]
pub struct RulesSettings {
    /// Where the world reaches this installation's webhooks, for calls that name no address for their key presses
    /// themselves [default: none, such calls report no keys]
    #[arg(long, env = "TRUNKLINE_PUBLIC_URL", value_name = "URL", value_parser = parse_base_url)]
    public_url: Option<String>,
    /// What becomes of a send whose worker died, so that the provider may have it already
    #[arg(
        long,
        env = "TRUNKLINE_INTERRUPTED_SENDS",
        value_name = "RULE",
        value_enum,
        default_value_t = InterruptedRule::Repeat
    )]
    interrupted_sends: InterruptedRule,
    /// What becomes of an HTTP answer that is not JSON
    #[arg(
        long,
        env = "TRUNKLINE_TEXT_ANSWERS",
        value_name = "RULE",
        value_enum,
        default_value_t = TextRule::Fault
    )]
    text_answers: TextRule,
    /// `retry` of steps that send and have none of their own: {"maxAttempts": 5} [default: none]
    #[arg(long, env = "TRUNKLINE_SEND_RETRY", value_name = "JSON", value_parser = parse_retry)]
    send_retry: Option<RetryPolicy>,
    /// What a workflow of the Workflows API costs besides its messages, in euros: 0.002
    #[arg(
        long,
        env = "TRUNKLINE_WORKFLOW_FEE",
        value_name = "EUROS",
        default_value = "0",
        value_parser = parse_fee
    )]
    workflow_fee: Price,
    /// Bytes that the history keeps of each body, of inputs and of outputs; 0: their sizes only
    #[arg(
        long,
        env = "TRUNKLINE_HISTORY_BYTES",
        value_name = "BYTES",
        default_value_t = 4096,
        value_parser = clap::value_parser!(u32).range(0..=65_536)
    )]
    history_bytes: u32,
    #[command(flatten)]
    workflows: WorkflowRulesSettings,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum InterruptedRule {
    /// It is sent again, with the same idempotency key
    Repeat,
    /// The instance faults
    Fault,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TextRule {
    /// The step faults
    Fault,
    /// The step goes on with the text
    Keep,
}

impl RulesSettings {
    pub fn rules(&self) -> Rules {
        Rules {
            interrupted_sends: match self.interrupted_sends {
                InterruptedRule::Repeat => InterruptedSends::Repeat,
                InterruptedRule::Fault => InterruptedSends::Fault,
            },
            text_answers: match self.text_answers {
                TextRule::Fault => TextAnswers::Fault,
                TextRule::Keep => TextAnswers::Keep,
            },
            send_retry: self.send_retry,
            public_url: self.public_url.clone(),
            workflow_fee: self.workflow_fee,
            dispatch: self.workflows.rules(),
            history: HistoryLimit(
                usize::try_from(self.history_bytes).expect("the range is far below any limit"),
            ),
        }
    }
}

fn parse_retry(text: &str) -> Result<RetryPolicy, String> {
    let retry: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    RetryPolicy::read(&retry).map_err(|flaws| {
        let messages: Vec<String> = flaws.into_iter().map(|flaw| flaw.message).collect();
        messages.join(" ")
    })
}

fn parse_fee(text: &str) -> Result<Price, String> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let fee = text.parse::<Price>().ok().filter(|_| is_decimal);
    fee.map(|fee| fee.normalize()).ok_or_else(|| "it is a decimal number, as 0.002".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{parse_fee, parse_retry};

    #[test]
    fn a_fee_is_a_decimal_number_and_not_below_zero() {
        for (text, fee) in [("0", "0"), ("0.00", "0"), ("0.0020", "0.002"), ("12.5", "12.5")] {
            assert_eq!(parse_fee(text).unwrap().to_string(), fee);
        }
        for bad in ["", "-1", "+1", "1e3", "1_000", "0,5", "free", "."] {
            assert!(parse_fee(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_retry_is_written_as_in_a_definition() {
        let retry = parse_retry(r#"{"maxAttempts": 5, "initialInterval": "00:00:01"}"#).unwrap();
        assert_eq!((retry.max_attempts, retry.initial_interval.as_secs()), (5, 1));
        for bad in ["", "5", "{}", r#"{"maxAttempts": 0}"#] {
            assert!(parse_retry(bad).is_err(), "{bad}");
        }
    }
}
